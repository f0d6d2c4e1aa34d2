// Package sealed keeps a flow in the URL of the page that a browser is sent to, rather than in a
// row, until the person has done something: entered an address, chosen an account, or decided.
// Until then anyone could have started the flow, any number of times, so the platform must be
// able to remember it at no cost.
//
// A token holds the whole flow, its id, its expiry and the hash of the browser cookie that
// it is bound to. It is encrypted and authenticated, so a URL in a log or a history reveals
// nothing and is useless in another browser. The first write creates the row under the id in
// the token, so two tabs, two replicas and a replayed token all end up at the same row. A row
// is kept until its token has expired (grants.KeepFlows), so that a used token never creates
// a second row.
package sealed

// Package sealed keeps an authorization request in the address of the page that a
// browser is sent to, instead of in a row, until a person has done something: typed
// an address, chosen an account, decided. Until then anybody could have caused it,
// as often as they like, so it must cost the platform nothing to remember.
//
// A token holds the whole request with its id, its end and the hash of the browser
// cookie that it is bound to, encrypted and authenticated, so that an address in a
// log or a history tells nothing and is worth nothing in another browser. The first
// write makes the row, under the id that the token names: two tabs, two replicas and
// a token that is sent again all come to the same row. A row is kept until the token
// could not be opened any more (grants.KeepRequests), so that a used one never makes
// a second.
package sealed

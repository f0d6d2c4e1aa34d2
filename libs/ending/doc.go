// Package ending ends all access of a person, of a person in a tenant, of a tenant
// or of an application: sessions, grants (offline ones and those of devices too),
// authorization codes, device codes and authorization requests.
//
// Access ends when a count in the table access_ends grows: everything that gives
// access carries the counts of its time (see the migration), and is worth nothing
// under another count. So it ends at one instant, for a redemption that is under
// way too, and nothing that ended comes to life again. Triggers count when a person,
// tenant or application is disabled or enabled, a membership is removed, or a tenant
// stops taking passwords; [Mark] counts for every other reason.
//
// The rows follow: sessions get their ended_at, grants their revoked_at, and
// applications that want to hear of logouts get a notice in logout_outbox. [EndTx]
// does it in the same transaction, for a person; [Finish] does it in short
// transactions, for any number of rows, and takes up what another process left
// unfinished.
package ending

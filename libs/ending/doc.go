// Package ending ends all access of a person, of a person in a tenant, of a tenant or of an
// application, or what a person allowed an application in a tenant: sessions, grants (including
// offline ones and those of devices), authorization codes, device codes and authorization
// requests.
//
// Access ends when a count in the table access_ends is incremented. Everything that gives
// access carries the counts as they were when it was issued (see the migration), and is
// worthless under any other count. So access ends at one instant, even for a redemption in
// progress, and nothing that has ended becomes valid again. Triggers increment the count when a
// person, tenant or application is disabled or enabled, a membership is removed, or a tenant
// stops accepting passwords; [Mark] increments it for every other reason.
//
// The rows follow: sessions get their ended_at, grants their revoked_at, and applications that
// asked to be told of logouts get a notice in logout_outbox. [EndTx] does this in the same
// transaction, for a person. [Finish] does it in short transactions, for any number of rows,
// and resumes what another process left unfinished.
//
// [WithdrawTx] ends what a person allowed an application. No count is kept of that, since the
// person and the application may go on together at once: it marks the rows that there are.
package ending

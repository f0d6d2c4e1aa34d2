// Package app holds the use cases of the keys service. Keeper keeps every algorithm
// supplied with a key, Publisher publishes the documents, and Task runs both repeatedly.
package app

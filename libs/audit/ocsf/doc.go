// Package ocsf writes rows of the audit trail as events of the Open Cybersecurity Schema
// Framework (https://schema.ocsf.io/1.3.0), for systems that collect such events. Anything the
// schema has no attribute for goes into unmapped, including the row's place in its chain, so
// nothing is lost.
package ocsf

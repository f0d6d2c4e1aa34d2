// Package ocsf writes rows of the audit trail as events of the Open Cybersecurity
// Schema Framework (https://schema.ocsf.io/1.3.0), for the systems that gather them.
// What the schema has no attribute for stands in unmapped, so that nothing is lost:
// the row's place in its chain, too.
package ocsf

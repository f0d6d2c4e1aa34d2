// Package registration has the rules of registering an application: what makes a
// [directory.Application] one that the platform can serve safely. The declarative file and the
// operator's commands go by them, and so must any other way to register.
//
// It checks values, not how they are written. Parsing durations, names of grant types and JSON
// is for the caller, and so are rules between applications, such as that a client id is used
// once.
package registration

// Package config is the platform's configuration: strict, from the environment, with every
// secret also readable from a file.
//
// A configuration is a struct of the sections that a program needs, such as [Server] and
// [Database]. [Load] fills it and reports all problems at once in an [Error], among them names
// that no program of the platform knows. [Help] and [Print] show what can be set and what is
// set, with secrets masked.
//
// The struct tags of a section are the whole table: env names the variable, envDefault its
// default, validate its rules, secret how it is kept from being shown, and example and desc are
// what the operator reads. Rules on several variables are the relations of a section, and
// defaults that follow another variable its fill.
//
// It opens nothing: servicekit does, with the values from here. It doesn't read the environment
// of the process, which its caller passes.
package config

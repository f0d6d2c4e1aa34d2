// Package app holds the use cases of device authorization: give a device its
// codes, find out what a user code stands for, have its person sign in, and write
// down what they decide.
package app

// Package ports defines the interfaces through which the session service reaches everything
// outside it. Some of them are implemented directly by stores in libs.
package ports

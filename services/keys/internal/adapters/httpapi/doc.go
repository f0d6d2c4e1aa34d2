// Package httpapi answers the keys service's three paths. The documents are
// public: any page may read them (CORS), any cache may keep them for a while.
package httpapi

// Package httpapi serves the keys service's three paths. The documents are public: any web
// page may read them (CORS), and any cache may keep them for a while.
package httpapi

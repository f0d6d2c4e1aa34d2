package webui

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

//go:embed messages/*.json
var messageFiles embed.FS

// AssetPrefix is the path under which the session service serves the assets.
const AssetPrefix = "/auth/assets/"

// UI renders pages. It is immutable after New and safe for concurrent use.
type UI struct {
	frame  *template.Template
	texts  *Catalogue
	assets map[string]asset  // by hashed file name
	paths  map[string]string // hashed path by plain file name
	errors *Page
	post   *Page
	notice *Page
}

type asset struct {
	content     []byte
	contentType string
	plain       string
}

// New parses the embedded templates, texts and assets.
func New() (*UI, error) {
	u := &UI{assets: map[string]asset{}, paths: map[string]string{}}
	if err := u.loadAssets(); err != nil {
		return nil, err
	}

	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, fmt.Errorf("webui: %w", err)
	}

	if u.texts, err = newCatalogue(messages); err != nil {
		return nil, err
	}

	u.frame, err = template.New("webui").Option("missingkey=error").
		ParseFS(templateFiles, "templates/frame.html", "templates/components.html")
	if err != nil {
		return nil, fmt.Errorf("webui: parse the frame: %w", err)
	}

	if u.errors, err = u.Page(templateFiles, "templates/error.html"); err != nil {
		return nil, err
	}

	if u.post, err = u.Page(templateFiles, "templates/form_post.html"); err != nil {
		return nil, err
	}

	if u.notice, err = u.Page(templateFiles, "templates/message.html"); err != nil {
		return nil, err
	}

	return u, nil
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func (u *UI) loadAssets() error {
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return fmt.Errorf("webui: %w", err)
	}

	for _, entry := range entries {
		content, err := fs.ReadFile(assetFiles, "assets/"+entry.Name())
		if err != nil {
			return fmt.Errorf("webui: %w", err)
		}

		ext := path.Ext(entry.Name())
		if contentTypes[ext] == "" {
			return errors.New("webui: no content type for asset " + entry.Name())
		}

		sum := sha256.Sum256(content)
		name := strings.TrimSuffix(entry.Name(), ext) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext
		u.assets[name] = asset{content: content, contentType: contentTypes[ext], plain: entry.Name()}
		u.paths[entry.Name()] = AssetPrefix + name
	}

	return nil
}

// StylesheetPath returns the hashed path of the stylesheet.
func (u *UI) StylesheetPath() string { return u.paths["platform.css"] }

// ServeAsset answers a request for the asset with the given hashed name, cacheable for ever. If
// there is none, it writes nothing and returns false. During a rolling upgrade a page of one
// version may ask a replica of the other, so a known file under an unknown hash is answered
// with the current content and not cached.
func (u *UI) ServeAsset(w http.ResponseWriter, r *http.Request, name string) bool {
	caching := "public, max-age=31536000, immutable"
	a, ok := u.assets[name]
	if !ok {
		a, ok = u.assets[path.Base(u.paths[plainName(name)])]
		caching = "no-store"
	}

	if !ok {
		return false
	}

	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", caching)
	h.Set("X-Content-Type-Options", "nosniff")
	// An SVG opened on its own is a document; nothing in it may run.
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return true
	}

	_, _ = w.Write(a.content)
	return true
}

// plainName removes the hash from name.hash.ext.
func plainName(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return ""
	}
	return parts[0] + "." + parts[2]
}

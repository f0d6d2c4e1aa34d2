package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Document is a published document, ready to be served.
type Document struct {
	Body []byte // JSON
	ETag string // strong, with its quotes (RFC 9110 8.8.3)
}

// Documents holds all documents that the service publishes. They never change, so readers
// need no lock.
type Documents struct {
	JWKS     Document
	Metadata Document
	Since    time.Time // when the oldest of the keys was published
}

// NewDocuments builds the documents for the published keys. It returns signing.ErrNoKey if
// there are none, since an empty set would make verifiers forget every key.
func NewDocuments(origin string, published []signing.Key) (*Documents, error) {
	if len(published) == 0 {
		return nil, signing.ErrNoKey
	}

	// RFC 7517 5.
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{make([]json.RawMessage, 0, len(published))}
	for _, key := range published {
		jwk, err := signing.PublicJWK(key)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jwk)
	}

	jwks, err := newDocument(set)
	if err != nil {
		return nil, err
	}

	metadata, err := newDocument(NewMetadata(origin, published))
	if err != nil {
		return nil, err
	}

	oldest := slices.MinFunc(published, func(a, b signing.Key) int { return a.PublishedAt.Compare(b.PublishedAt) })
	return &Documents{JWKS: jwks, Metadata: metadata, Since: oldest.PublishedAt}, nil
}

func newDocument(v any) (Document, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return Document{}, fmt.Errorf("write document: %w", err)
	}

	body := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	sum := sha256.Sum256(body)
	return Document{Body: body, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}, nil
}

package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// Kubernetes serves the one API that Vault calls in a cluster, over TLS: TokenReview
// (authentication.k8s.io/v1), which says which service account a token belongs to. It
// answers only callers that are allowed to ask.
type Kubernetes struct {
	URL string

	caFile, reviewerFile string
	reviewer             string
	signer               jose.Signer
	mu                   sync.Mutex
	accounts             map[string]serviceAccount // by token
}

type serviceAccount struct {
	namespace, name, uid string
	audiences            []string
}

// NewKubernetes starts the API of a cluster that stops at the end of the test.
func NewKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	require.NoError(t, err)
	k := &Kubernetes{signer: signer, accounts: map[string]serviceAccount{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", k.review)
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	k.URL = server.URL
	k.reviewer = k.Token(t, "kube-system", "reviewer")
	dir := t.TempDir()
	k.caFile, k.reviewerFile = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "reviewer")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(k.caFile, ca, 0o600))
	require.NoError(t, os.WriteFile(k.reviewerFile, []byte(k.reviewer+"\n"), 0o600))

	return k
}

// Token issues the service account a token for those audiences that is valid for an hour,
// like those that the kubelet projects into pods.
func (k *Kubernetes) Token(t testing.TB, namespace, name string, audiences ...string) string {
	t.Helper()
	account := serviceAccount{
		namespace: namespace,
		name:      name,
		uid:       "uid-" + namespace + "-" + name,
		audiences: audiences,
	}

	now := time.Now()
	token, err := jwt.Signed(k.signer).Claims(map[string]any{
		"iss": "https://kubernetes.default.svc.cluster.local",
		"sub": account.username(),
		"aud": audiences,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"serviceaccount": map[string]any{"name": name, "uid": account.uid},
		},
	}).Serialize()

	require.NoError(t, err)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.accounts[token] = account

	return token
}

// Forget invalidates the token, as if its pod had been deleted.
func (k *Kubernetes) Forget(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.accounts, token)
}

func (a serviceAccount) username() string {
	return "system:serviceaccount:" + a.namespace + ":" + a.name
}

// review answers as the API server does. An unknown token isn't an error of the request,
// and of the requested audiences the response lists those that the token has.
func (k *Kubernetes) review(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+k.reviewer {
		http.Error(w,
			`{"kind":"Status","status":"Failure","reason":"Unauthorized","code":401}`, http.StatusUnauthorized)
		return
	}

	var asked struct {
		Spec struct {
			Token     string   `json:"token"`
			Audiences []string `json:"audiences"`
		} `json:"spec"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	k.mu.Lock()
	account, known := k.accounts[asked.Spec.Token]
	k.mu.Unlock()
	both := slices.DeleteFunc(asked.Spec.Audiences,
		func(a string) bool { return !slices.Contains(account.audiences, a) })
	status := map[string]any{"authenticated": false, "error": "the token is unknown, or for another audience"}
	if known && (len(asked.Spec.Audiences) == 0 || len(both) > 0) {
		status = map[string]any{
			"authenticated": true, "audiences": both,
			"user": map[string]any{"username": account.username(), "uid": account.uid},
		}
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "authentication.k8s.io/v1",
		"kind":       "TokenReview",
		"status":     status,
	})
}

package vaulttransit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// maxAnswer bounds how much of a response is read, in bytes; that of a batch of 128 RSA
// signatures has 60,000.
const maxAnswer = 1 << 20

// parameters holds, for each algorithm, what a request contains besides its inputs.
var parameters = map[signing.Algorithm]string{
	signing.RS256: `"prehashed":true,"hash_algorithm":"sha2-256","signature_algorithm":"pkcs1v15","marshaling_algorithm":"jws"`,
	// RFC 7518 3.5: the salt is as long as the hash.
	signing.PS256: `"prehashed":true,"hash_algorithm":"sha2-256","signature_algorithm":"pss","salt_length":"hash","marshaling_algorithm":"jws"`,
	signing.ES256: `"prehashed":true,"hash_algorithm":"sha2-256","marshaling_algorithm":"jws"`,
	signing.EdDSA: `"marshaling_algorithm":"jws"`,
}

// send makes one request for a batch and finishes every item of the batch.
func (e *Engine) send(ctx context.Context, v version, batch []*item) {
	ctx, end := e.seen.begin(ctx, v, batch, e.now())
	_, err := e.breaker.Execute(func() (struct{}, error) {
		err := classify(ctx, e.sign(ctx, v, batch))
		e.note(v, batch, err)
		return struct{}{}, err
	})
	if err != nil {
		err = e.explain(classify(ctx, err))
		for _, i := range batch {
			i.signature, i.err = nil, err
		}
	}

	end(batch, err)

	for _, i := range batch {
		i.finish()
	}
}

// explain adds why the breaker is open.
func (e *Engine) explain(err error) error {
	var known *Error
	if errors.As(err, &known) && known.Reason == BreakerOpen && known.cause == nil {
		return &Error{Reason: BreakerOpen, cause: e.health.lastAway()}
	}
	return err
}

// result is Vault's result for one input.
type result struct {
	Signature string `json:"signature"`
	Error     string `json:"error"`
	Reference string `json:"reference"` // of the input within the batch
}

// sign requests the signatures. A returned error concerns the request as a whole; other errors
// are set on the items.
func (e *Engine) sign(ctx context.Context, v version, batch []*item) error {
	var answer struct {
		Data struct {
			result           // for an input that was sent alone
			Results []result `json:"batch_results"`
		} `json:"data"`
	}
	if err := e.post(ctx, "sign/"+v.name, request(v, batch), &answer); err != nil {
		return err
	}

	results := []result{answer.Data.result}
	if len(batch) > 1 {
		var err error
		if results, err = inOrder(answer.Data.Results, len(batch)); err != nil {
			return err
		}
	}

	for n, i := range batch {
		if said := results[n].Error; said != "" {
			i.err = &Error{Reason: reasonOf(http.StatusBadRequest, said), cause: errors.New(said)}
			continue
		}
		i.signature, i.err = decode(v, results[n].Signature)
	}

	return e.verify(v, batch)
}

// inOrder sorts the results for a batch of n inputs by the references that the request gave
// them. If a server or a proxy changed the order, a token could otherwise get the signature of
// another.
func inOrder(answers []result, n int) ([]result, error) {
	if len(answers) != n {
		return nil, &Error{Reason: Fault, cause: fmt.Errorf("%d answers to %d inputs", len(answers), n)}
	}

	sorted, seen := make([]result, n), make([]bool, n)
	for _, answer := range answers {
		at, err := strconv.Atoi(answer.Reference)
		if err != nil || at < 0 || at >= n || seen[at] {
			return nil, &Error{
				Reason: Fault,
				cause:  fmt.Errorf("an answer with the reference %q to %d inputs", answer.Reference, n),
			}
		}
		sorted[at], seen[at] = answer, true
	}

	return sorted, nil
}

// request returns the body of a request. Base64 needs no escaping. A single input is sent
// without a batch, which costs the server less than a batch of one.
func request(v version, batch []*item) []byte {
	size := 256
	for _, i := range batch {
		size += len(`{"input":"","reference":"123"},`) + base64.StdEncoding.EncodedLen(len(i.input))
	}

	body := append(make([]byte, 0, size), '{')
	if len(batch) == 1 {
		body = appendInput(body, batch[0])
	} else {
		body = append(body, `"batch_input":[`...)
		for n, i := range batch {
			if n > 0 {
				body = append(body, ',')
			}

			body = appendInput(append(body, '{'), i)
			body = append(body, `,"reference":"`...)
			body = strconv.AppendInt(body, int64(n), 10)
			body = append(body, `"}`...)
		}

		body = append(body, ']')
	}

	body = append(body, `,"key_version":`...)
	body = strconv.AppendInt(body, int64(v.number), 10)
	body = append(body, ',')
	body = append(body, parameters[v.alg]...)

	return append(body, '}')
}

func appendInput(body []byte, i *item) []byte {
	body = append(body, `"input":"`...)
	body = base64.StdEncoding.AppendEncode(body, i.input)
	return append(body, '"')
}

// decode decodes vault:v3:SIGNATURE, which must be of the version that was requested.
func decode(v version, text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "vault:v"+strconv.Itoa(v.number)+":")
	if !ok {
		return nil, &Error{Reason: Fault, cause: errors.New("a signature of another version than was asked for")}
	}

	signature, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(signature) == 0 {
		return nil, &Error{Reason: Fault, cause: errors.New("a signature that is not base64url")}
	}
	return signature, nil
}

// note records for readiness how a request ended, and makes the session check its token if the
// request was denied.
func (e *Engine) note(v version, batch []*item, err error) {
	if err == nil {
		err = ofVersion(batch)
	}
	if err != nil {
		e.checked.Delete(v) // it may be a different key by the next request
	}

	e.health.note(v, batch[0].public, err, e.now())
	var known *Error
	if errors.As(err, &known) && known.Reason == Denied && e.session != nil {
		e.session.Doubt()
	}
}

// ofVersion returns an error in the batch that concerns the key version as a whole; one bad
// input says nothing about the version.
func ofVersion(batch []*item) error {
	for _, i := range batch {
		if errors.Is(i.err, signing.ErrKeyMissing) {
			return i.err
		}
	}
	return nil
}

// post posts to a path below the mount and decodes the response into into, unless that is nil.
func (e *Engine) post(ctx context.Context, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	response, err := e.client.Logical().WriteRawWithContext(ctx, e.mount+"/"+path, body)
	return read(response, err, into)
}

func (e *Engine) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	response, err := e.client.Logical().ReadRawWithContext(ctx, e.mount+"/"+path)
	return read(response, err, into)
}

func read(response *api.Response, err error, into any) error {
	if response != nil && response.Body != nil {
		defer func() { _ = response.Body.Close() }()
	}

	if err != nil {
		return err
	}

	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}

	if err := json.Unmarshal(content, into); err != nil {
		return &Error{Reason: Fault, cause: errors.New("an answer that is not the JSON it should be")}
	}

	return nil
}

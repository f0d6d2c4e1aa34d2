package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/caarlos0/env/v11"
	"golang.org/x/net/idna"
)

// parsers returns parsers for types that env can't parse, or not well enough.
func parsers() map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[url.URL]():         func(s string) (any, error) { return parseOrigin(s) },
		reflect.TypeFor[[]netip.Prefix]():  func(s string) (any, error) { return parsePrefixes(s) },
		reflect.TypeFor[[]EncryptionKey](): func(s string) (any, error) { return ParseEncryptionKeys(s) },
	}
}

// parseOrigin parses an origin (RFC 6454 4) and returns it in the form browsers use: lower
// case, without a default port.
func parseOrigin(raw string) (url.URL, error) {
	refuse := func(why string) (url.URL, error) {
		return url.URL{}, errors.New(why + "; write an origin such as https://id.example.com")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return refuse("the value is not a URL with a host")
	case u.User != nil:
		return refuse("it must not contain a user or password")
	case u.Path != "" && u.Path != "/":
		return refuse(fmt.Sprintf("it must not contain the path %q", u.Path))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(raw, "#"):
		return refuse("it must not contain a query or fragment")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse(fmt.Sprintf("the scheme %q is neither https nor http", u.Scheme))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return url.URL{}, fmt.Errorf("http is allowed on loopback only; use https://%s", u.Host)
	}

	// Tokens and headers carry the ASCII form of an internationalised name.
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		names := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.VerifyDNSLength(true))
		if host, err = names.ToASCII(host); err != nil {
			return refuse("the host is not a domain name")
		}
	}

	if n, err := strconv.ParseUint(port, 10, 16); (port != "" && (err != nil || n == 0)) ||
		strings.HasSuffix(u.Host, ":") {
		return refuse("the port is not a number from 1 to 65535")
	}

	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}

	if port != "" && port != map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		host += ":" + port
	}

	return url.URL{Scheme: u.Scheme, Host: host}, nil
}

// loopback reports whether a host can only be this machine (RFC 6761 6.3).
func loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// parsePrefixes parses comma-separated CIDRs.
func parsePrefixes(raw string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for part := range strings.SplitSeq(raw, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}

		p, err := netip.ParsePrefix(part)
		if err != nil {
			if addr, err := netip.ParseAddr(part); err == nil {
				return nil, fmt.Errorf("%q is an address, not a CIDR; write %s/%d", part, addr, addr.BitLen())
			}
			return nil, fmt.Errorf("%q is not a CIDR; use for example 10.0.0.0/8,fd00::/8", part)
		}

		if p.Bits() == 0 {
			return nil, fmt.Errorf("%q trusts every peer, so anyone could forge X-Forwarded-For; list only the proxies' own networks",
				part)
		}

		list = append(list, p.Masked())
	}

	return list, nil
}

// EncryptionKey is a 256-bit key. It prints as asterisks.
type EncryptionKey [32]byte

// String hides the key.
func (EncryptionKey) String() string { return "***" }

// GoString hides the key.
func (EncryptionKey) GoString() string { return "***" }

// ParseEncryptionKeys parses comma-separated base64 keys, of either alphabet. Its errors never
// repeat the input.
func ParseEncryptionKeys(raw string) ([]EncryptionKey, error) {
	var list []EncryptionKey
	for part := range strings.SplitSeq(raw, ",") {
		part = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(part), "="))
		key, err := base64.RawStdEncoding.DecodeString(part)
		if err != nil || len(key) != len(EncryptionKey{}) {
			return nil, fmt.Errorf("key %d is not 32 bytes in base64; make one with: openssl rand -base64 32",
				len(list)+1)
		}
		list = append(list, EncryptionKey(key))
	}

	return list, nil
}

// checkListen returns what is wrong with a listener's address, or "".
func checkListen(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Sprintf("%q is not host:port; use for example 127.0.0.1:8080 or :8080", address)
	}
	return ""
}

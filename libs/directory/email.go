package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxEmail is the longest address that SMTP can deliver to (RFC 5321 4.5.3.1.3,
// less the angle brackets), in bytes.
const maxEmail = 254

// domains maps names as browsers look them up (Unicode Technical Standard 46, not
// transitional).
var domains = idna.New(
	idna.MapForLookup(),
	idna.StrictDomainName(false), // there are hosts with an underscore
	idna.Transitional(false),
	idna.BidiRule(),
	idna.CheckJoiners(true),
	idna.VerifyDNSLength(true),
)

// ParseEmail brings an address to the form in which it is stored and compared, and
// reports whether it can be one: without surrounding space, the local part in
// Unicode's form NFC and lower case, the domain by ParseDomain. Everything that
// takes an address uses it: the pages, login_hint, the declarative file, the
// operator's commands. The local part is a dot-atom (RFC 5322 3.2.3, RFC 6531 3.3);
// quoted ones are refused. Whether the address exists shows when mail arrives.
func ParseEmail(typed string) (email string, ok bool) {
	if !utf8.ValidString(typed) || len(typed) > 4*maxEmail {
		return "", false
	}

	local, domain, found := strings.Cut(strings.TrimSpace(typed), "@")
	if !found {
		return "", false
	}

	local = lower(local)
	domain, ok = ParseDomain(domain)
	email = local + "@" + domain
	if !ok || !dotAtom(local) || len(email) > maxEmail {
		return "", false
	}

	return email, true
}

// ParseDomain brings a domain name to the form in which it is stored and compared,
// and reports whether it can be one: lower case, with labels that are not ASCII as
// A-labels ("xn--…", RFC 5890 2.3.2.1).
func ParseDomain(typed string) (domain string, ok bool) {
	if strings.HasSuffix(typed, ".") || strings.ContainsFunc(typed, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", false
	}

	domain, err := domains.ToASCII(typed)
	if err != nil || domain == "" || strings.ContainsAny(domain, "@\"\\,;:<>()[]/?#%") {
		return "", false
	}

	for _, r := range domain {
		if r <= ' ' || r >= unicode.MaxASCII {
			return "", false
		}
	}

	return domain, true
}

// ReadableEmail returns a stored address as people write it: with the letters of
// their own script in its domain.
func ReadableEmail(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	readable, err := domains.ToUnicode(domain)
	if err != nil {
		return email
	}
	return local + "@" + readable
}

// EmailSpellings returns a stored address and the forms in which earlier versions
// stored it, which kept domains and local parts as they were typed.
func EmailSpellings(email string) [4]string {
	readable := ReadableEmail(email)
	return [4]string{email, readable, norm.NFD.String(readable), norm.NFD.String(email)}
}

// lower folds case as the pages always did, within NFC.
func lower(s string) string { return norm.NFC.String(strings.ToLower(norm.NFC.String(s))) }

func dotAtom(local string) bool {
	if local == "" || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return false
	}

	for _, r := range local {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`"(),:;<>@[\]`, r) {
			return false
		}
	}
	return true
}

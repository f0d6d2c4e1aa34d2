package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxEmail is the longest address that SMTP can deliver to, in bytes (RFC 5321 4.5.3.1.3, less
// the angle brackets).
const maxEmail = 254

// domains maps names as browsers look them up (Unicode Technical Standard 46, not
// transitional).
var domains = idna.New(
	idna.MapForLookup(),
	idna.StrictDomainName(false), // some hosts have an underscore
	idna.Transitional(false),
	idna.BidiRule(),
	idna.CheckJoiners(true),
	idna.VerifyDNSLength(true),
)

// ParseEmail returns an address in the form in which it is stored and compared: without
// surrounding space, the local part in Unicode NFC and lower case, the domain as ParseDomain
// returns it. ok is false if typed can't be an address. The local part must be a dot-atom (RFC
// 5322 3.2.3, RFC 6531 3.3); quoted ones are refused.
//
// All code that accepts an address uses it: the pages, login_hint, the declarative file, the
// operator's commands. Only mail that arrives shows whether an address exists.
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

// ParseDomain returns a domain name in the form in which it is stored and compared: lower case,
// with non-ASCII labels as A-labels ("xn--…", RFC 5890 2.3.2.1). ok is false if typed can't be
// a domain.
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

// ReadableEmail returns a stored address as people write it, for showing it to them: with its
// domain as ReadableDomain returns it. What is stored, sent in forms or looked up stays as
// ParseEmail returns it.
func ReadableEmail(email string) string {
	local, domain, found := strings.Cut(email, "@")
	if !found {
		return email
	}
	return local + "@" + ReadableDomain(domain)
}

// ReadableDomain returns a stored domain in Unicode, as people write it. A domain with a word that
// mixes scripts (see MixedWord) stays as it is, since people would take it for another.
func ReadableDomain(domain string) string {
	readable, err := domains.ToUnicode(domain)
	if err != nil {
		return domain
	}

	if word, _ := MixedWord(readable); word != "" {
		return domain
	}

	return readable
}

// EmailSpellings returns a stored address and the forms in which earlier versions stored it;
// they kept domains and local parts as typed.
func EmailSpellings(email string) [4]string {
	local, domain, found := strings.Cut(email, "@")
	readable := email
	if unicoded, err := domains.ToUnicode(domain); found && err == nil {
		readable = local + "@" + unicoded
	}

	return [4]string{email, readable, norm.NFD.String(readable), norm.NFD.String(email)}
}

// lower folds case as the pages always have, within NFC.
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

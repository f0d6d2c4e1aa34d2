package pqguard

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

const (
	// defaultPort is the port of a host without one.
	defaultPort    = "5432"
	connectTimeout = "3" // seconds
)

// errURL includes neither the URL nor a url.Error, which would repeat it, because the URL
// contains a password.
var errURL = errors.New("database: the URL must be of the form postgres://user:password@host:port/name?options")

// ParseURL parses a PostgreSQL URL. As in libpq, the URL may name several hosts, each with its
// own port; Host is then the whole list. The error never contains the URL.
func ParseURL(raw string) (*url.URL, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || (scheme != "postgres" && scheme != "postgresql") {
		return nil, errURL
	}

	authority, tail := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority, tail = rest[:end], rest[end:]
	}

	user, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, hosts = authority[:at+1], authority[at+1:]
	}

	if !strings.Contains(hosts, ",") {
		return single(raw)
	}

	// net/url refuses the ports of a list, so each host is checked separately.
	for host := range strings.SplitSeq(hosts, ",") {
		if _, err := single(scheme + "://" + host); err != nil || host == "" {
			return nil, errURL
		}
	}

	u, err := single(scheme + "://" + user + tail)
	if err != nil {
		return nil, err
	}

	u.Host = hosts
	return u, nil
}

func single(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errURL
	}
	return u, nil
}

// DSN returns a URL in the driver's form, with the options forced that package database relies
// on. If there are several hosts, it selects the first that accepts writes,
// since the others are standbys, unless the URL has its own target_session_attrs.
func DSN(raw string) (string, error) {
	u, err := ParseURL(raw)
	if err != nil {
		return "", err
	}

	query := u.Query()
	for key := range query {
		if strings.EqualFold(key, "timezone") {
			query.Del(key)
		}
	}

	query.Set("timezone", "UTC")
	query.Set("binary_parameters", "yes")

	if !query.Has("connect_timeout") {
		query.Set("connect_timeout", connectTimeout)
	}

	if strings.Contains(u.Host, ",") {
		hosts, ports := hostsAndPorts(u.Host)
		query.Set("host", hosts)
		query.Set("port", ports)
		u.Host = ""
	}

	if strings.Contains(query.Get("host"), ",") && !query.Has("target_session_attrs") {
		query.Set("target_session_attrs", "read-write")
	}

	u.RawQuery = query.Encode()
	return u.String(), nil
}

// hostsAndPorts returns a list of hosts in the driver's form: names and ports separately.
func hostsAndPorts(list string) (hosts, ports string) {
	var names, numbers []string
	for part := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(part)
		if err != nil { // it has no port
			host, port = strings.Trim(part, "[]"), defaultPort
		}
		if port == "" {
			port = defaultPort
		}

		names, numbers = append(names, host), append(numbers, port)
	}

	return strings.Join(names, ","), strings.Join(numbers, ",")
}

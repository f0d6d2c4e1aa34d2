package httpapi

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

const (
	bearerRealm = `Bearer realm="platform"`
	tokenField  = "access_token" // RFC 6750 2.2
)

func claims(c *gin.Context, userInfo *app.UserInfo, origins *app.Origins) {
	httpkit.NoStore(c)
	bearer, err := bearerOf(c)
	if err != nil {
		failBearer(c, err)
		return
	}

	allowBearer(c, origins, bearer)
	answer, err := userInfo.Claims(c.Request.Context(), bearer)
	if err != nil {
		failBearer(c, err)
		return
	}

	httpkit.JSON(c, http.StatusOK, answer)
}

// bearerOf returns the access token from the header (RFC 6750 2.1) or, for POST, from a
// form (2.2), but never from both. It ignores a token in the query (2.3), since it would
// end up in logs.
func bearerOf(c *gin.Context) (string, error) {
	inForm, err := formToken(c)
	if err != nil {
		return "", err
	}

	query, err := httpkit.Query(c)
	if err != nil {
		return "", err
	}
	return parseBearer(c.Request.Header["Authorization"], inForm, query.Has(tokenField))
}

// formToken reads the token from a form body. A POST without one, or with a body of another
// type, is accepted; nothing else is read from it.
func formToken(c *gin.Context) (string, error) {
	if c.Request.Method != http.MethodPost {
		return "", nil
	}

	// mediaType is empty if the header can't be parsed.
	if mediaType, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); mediaType != "application/x-www-form-urlencoded" {
		return "", nil
	}

	form, err := httpkit.Form(c)
	if err != nil {
		return "", err
	}

	if form.Twice(tokenField) != "" {
		return "", errRepeated()
	}

	return form.Get(tokenField), nil
}

// parseBearer returns the single token. inQuery reports that the query contained one.
func parseBearer(authorization []string, inForm string, inQuery bool) (string, error) {
	header := ""
	if len(authorization) > 0 {
		header = strings.Trim(authorization[0], " \t")
	}

	switch {
	case len(authorization) > 1:
		return "", oauth.Errorf(oauth.InvalidRequest, "the Authorization header was sent more than once")
	case header == "" && inForm == "":
		return "", &httpkit.MissingError{In: "header", Names: []string{"authorization"}}
	case header != "" && inForm != "", inQuery:
		return "", oauth.Errorf(oauth.InvalidRequest, "the access token was sent in more than one place")
	case header == "":
		return inForm, nil
	}

	scheme, credentials, _ := strings.Cut(header, " ")
	credentials = strings.TrimLeft(credentials, " ")
	if !strings.EqualFold(scheme, "Bearer") || !isB64Token(credentials) {
		return "", oauth.Errorf(oauth.InvalidToken, "the Authorization header holds no bearer token")
	}

	return credentials, nil
}

// isB64Token reports whether s matches the grammar of RFC 6750 2.1.
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}

	return s != ""
}

// failBearer adds the challenge of RFC 6750 3: without an error code if no credentials were
// sent, and with one if they were refused.
func failBearer(c *gin.Context, err error) {
	if _, ok := errors.AsType[*httpkit.MissingError](err); ok {
		c.Header("WWW-Authenticate", bearerRealm)
	} else if wire, ok := errors.AsType[*oauth.Error](err); ok {
		if challenge := challengeOf(wire); challenge != "" {
			c.Header("WWW-Authenticate", challenge)
		}
	}

	httpkit.Fail(c, err)
}

func challengeOf(e *oauth.Error) string {
	challenge := bearerRealm + `, error="` + string(e.Code) + `", error_description="` + e.Description + `"`
	switch e.Code {
	case oauth.InvalidToken, oauth.InvalidRequest:
		return challenge
	case oauth.InsufficientScope:
		return challenge + `, scope="` + oauth.ScopeOpenID + `"`
	default:
		return ""
	}
}

package httpkit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// A service passes api.For(name), its part of the contract, as Routes.
func ExampleNewHandler() {
	handler, err := httpkit.NewHandler(httpkit.Options{
		Service: "greeter",
		Routes:  []api.Route{{Method: http.MethodGet, Path: "/hello/{name}", OperationID: "hello"}},
		Handlers: httpkit.Handlers{
			"hello": func(c *gin.Context) {
				httpkit.JSON(c, http.StatusOK, map[string]string{"hello": c.Param("name")})
			},
		},
	})
	if err != nil {
		panic(err)
	}

	for _, path := range []string{"/hello/ada", "/goodbye"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 {"hello":"ada"}
	// 404 {"detail":"Not Found"}
}

// The answer names every parameter that is missing.
func ExampleParams_Missing() {
	search := func(c *gin.Context) {
		query, err := httpkit.Query(c)
		if err == nil {
			err = query.Missing("shop", "fruit")
		}

		if err != nil {
			httpkit.Fail(c, err)
			return
		}

		httpkit.JSON(c, http.StatusOK, []string{query.Get("shop"), query.Get("fruit")})
	}

	w := serve(search, "/search?shop=corner&fruit=pear")
	fmt.Println(w.Code, w.Body)

	var problem struct {
		Description string `json:"error_description"`
	}

	w = serve(search, "/search?shop=corner")
	err := json.Unmarshal(w.Body.Bytes(), &problem)
	fmt.Println(w.Code, problem.Description, err)

	// Output:
	// 200 ["corner","pear"]
	// 422 required and missing: fruit <nil>
}

// The text of an error that Fail does not know goes to the log, never to the caller.
func ExampleFail() {
	for _, err := range []error{
		oauth.Errorf(oauth.InvalidScope, "The scope parameter is malformed."),
		errors.New("dial 10.0.0.7:5432: connection refused"),
	} {
		w := serve(func(c *gin.Context) { httpkit.Fail(c, err) }, "/search")
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 400 {"error":"invalid_scope","error_description":"The scope parameter is malformed."}
	// 500 {"error":"server_error","error_description":"the server met an unexpected condition"}
}

// serve gets target, which begins with /search, from a handler.
func serve(handler gin.HandlerFunc, target string) *httptest.ResponseRecorder {
	h, err := httpkit.NewHandler(httpkit.Options{
		Routes:   []api.Route{{Method: http.MethodGet, Path: "/search", OperationID: "search"}},
		Handlers: httpkit.Handlers{"search": handler},
	})
	if err != nil {
		panic(err)
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

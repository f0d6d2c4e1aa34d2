package manifest

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestEveryFieldThatCanDifferHasTheNameOfAFieldOfTheFile(t *testing.T) {
	inFile := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Application]()) {
		inFile[field.Tag.Get("yaml")] = true
	}

	compared := 0
	for _, field := range reflect.VisibleFields(reflect.TypeFor[directory.Application]()) {
		// compared by rules of their own
		if field.Name == "ClientID" || field.Name == "Secrets" || field.Name == "Active" {
			continue
		}
		compared++
		require.Contains(t, inFile, fileNames[field.Name],
			"directory.Application.%s needs its name in fileNames", field.Name)
	}

	require.Len(t, fileNames, compared)
}

func TestEveryKeyOfTheFileReachesTheApplication(t *testing.T) {
	grace := Duration(1)
	full := Application{
		Grants:       oauth.GrantNames(),
		JWKS:         map[string]any{"keys": []any{}},
		RefreshGrace: &grace,
	}

	file := reflect.ValueOf(&full).Elem()
	for i := range file.NumField() {
		switch field := file.Field(i); {
		case !field.IsZero():
		case field.Kind() == reflect.String:
			field.SetString("x")
		case field.Kind() == reflect.Bool:
			field.SetBool(true)
		case field.Kind() == reflect.Int64:
			field.SetInt(1)
		case field.Type() == reflect.TypeFor[[]string]():
			field.Set(reflect.ValueOf([]string{"x"}))
		}
	}

	wanted := reflect.ValueOf(*full.application("tnt_x"))
	for _, field := range reflect.VisibleFields(wanted.Type()) {
		if field.Name != "Active" && field.Name != "Secrets" { // decided apart
			require.False(t, wanted.FieldByIndex(field.Index).IsZero(), "application leaves %s out", field.Name)
		}
	}
}

package cli

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// elsewhere are the keys of an application that `app create` has no flag for.
var elsewhere = map[string]string{
	"client_id":          "the argument",
	"scope_level":        "follows from --tenant",
	"enabled":            "app disable and app enable",
	"client_secret":      "would be seen in the list of processes",
	"client_secret_hash": "the file's, for a secret that another system has",
}

func TestEveryKeyOfAnApplicationHasAFlag(t *testing.T) {
	var f manifest.Application
	var grace manifest.Duration
	var keys string
	apart := map[string]any{"refresh_grace": &grace, "jwks": &keys}

	flags := map[string]field{}
	for _, flag := range applicationFields(&f, &grace, &keys) {
		require.NotContains(t, flags, flag.key)
		flags[flag.key] = flag
	}

	file := reflect.ValueOf(&f).Elem()
	for _, key := range reflect.VisibleFields(file.Type()) {
		name := key.Tag.Get("yaml")
		if where, ok := elsewhere[name]; ok {
			require.NotContains(t, flags, name, where)
			continue
		}

		require.Contains(t, flags, name, "%s needs a flag", name)
		into := file.FieldByIndex(key.Index).Addr().Interface()
		if other, ok := apart[name]; ok {
			into = other
		}

		require.Same(t, into, flags[name].into, "--%s sets another key", flags[name].flag)
	}

	require.Len(t, flags, file.NumField()-len(elsewhere), "every flag is of a key")
}

func TestEveryFieldOfAnApplicationIsShown(t *testing.T) {
	slugs := map[string]string{}
	plain := viewApplication(&directory.Application{}, slugs)

	app := reflect.TypeFor[directory.Application]()
	for _, field := range reflect.VisibleFields(app) {
		set := reflect.New(app)
		fill(t, set.Elem().FieldByIndex(field.Index))
		changed := set.Interface().(*directory.Application)
		slugs[changed.TenantID] = changed.TenantID

		require.NotEqual(t, plain, viewApplication(changed, slugs), "%s needs a line in applicationView", field.Name)
	}
}

func TestAnApplicationIsShownByTheNamesOfTheFile(t *testing.T) {
	var shown []string
	for _, line := range reflect.VisibleFields(reflect.TypeFor[applicationView]()) {
		shown = append(shown, jsonName(line))
	}

	for _, key := range reflect.VisibleFields(reflect.TypeFor[manifest.Application]()) {
		name := key.Tag.Get("yaml")
		secret := slices.Contains([]string{"client_secret", "client_secret_file", "client_secret_hash"}, name)
		require.Equal(t, !secret, slices.Contains(shown, name), name)
	}
}

// fill sets a value to something else than its zero value.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()

	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64, reflect.Int:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Index(0).Kind() != reflect.Struct {
			fill(t, v.Index(0))
		}
	default:
		require.Fail(t, "fill knows no "+v.Kind().String())
	}
}

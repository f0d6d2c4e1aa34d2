package manifest

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
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

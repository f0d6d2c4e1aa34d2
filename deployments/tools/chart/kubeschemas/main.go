// Command kubeschemas writes the JSON schemas against which kubeconform validates the
// rendered chart, with the Go module proxy as its only source. It takes the schemas of the
// oldest and the newest Kubernetes that the chart supports from the OpenAPI document in the
// module k8s.io/kubernetes, and that of ServiceMonitor from the custom resource in
// prometheus-operator's module. The schemas are strict: they reject a field that a version
// doesn't have.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is a module that is downloaded for one file. Nothing of it is compiled, so it is
// pinned here instead of being required in go.mod.
type source struct{ module, version, sum, file string }

var (
	kubernetes = []source{
		{"k8s.io/kubernetes", "v1.29.15", "h1:hLcyf3XmxtfkubCEmmPX5QVD7lDclXjvEUrJeP283LM=", "api/openapi-spec/swagger.json"},
		{"k8s.io/kubernetes", "v1.37.0", "h1:TDSD+Izz9inqs7SmtJCAu7L5/DuYW9hAZ3GBdF6Ddkw=", "api/openapi-spec/swagger.json"},
	}
	serviceMonitor = source{
		"github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
		"jsonnet/prometheus-operator/servicemonitors-crd.json",
	}
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kubeschemas FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "kubeschemas:", err)
		os.Exit(1)
	}
}

// run writes FOLDER/v1.29.15/deployment-apps-v1.json and so on, and the custom resource's
// schema beside those of each version.
func run(folder string) error {
	for _, s := range kubernetes {
		target := filepath.Join(folder, s.version)
		if err := os.MkdirAll(target, 0o750); err != nil { //nolint:gosec // the caller names the folder
			return err
		}
		if err := builtIn(s, target); err != nil {
			return fmt.Errorf("%s: %w", s.version, err)
		}
		if err := custom(serviceMonitor, target); err != nil {
			return fmt.Errorf("%s: %w", serviceMonitor.file, err)
		}
	}
	return nil
}

// read downloads the module of a source, compares it with its sum, and decodes its file
// into v.
func (s source) read(v any) error {
	out, err := exec.CommandContext(context.Background(), "go", "mod", "download", "-json", s.module+"@"+s.version).Output() //nolint:gosec // of the table above
	if err != nil {
		return fmt.Errorf("go mod download %s@%s: %w: %s", s.module, s.version, err, out)
	}
	var downloaded struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return err
	}
	if downloaded.Sum != s.sum {
		return fmt.Errorf("%s@%s has the sum %s, not %s", s.module, s.version, downloaded.Sum, s.sum)
	}
	data, err := os.ReadFile(filepath.Join(downloaded.Dir, s.file))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

type object = map[string]any

// builtIn writes a schema for each kind, which refers to the definitions beside it.
func builtIn(s source, target string) error {
	var document struct {
		Definitions map[string]object `json:"definitions"`
	}
	if err := s.read(&document); err != nil {
		return err
	}
	for name, definition := range document.Definitions {
		strict(definition)
		// OpenAPI 2 can't express these two.
		switch name {
		case "io.k8s.apimachinery.pkg.util.intstr.IntOrString":
			document.Definitions[name] = object{"type": []string{"string", "integer"}}
		case "io.k8s.apimachinery.pkg.api.resource.Quantity":
			document.Definitions[name] = object{"type": []string{"string", "number"}}
		}
	}
	kinds := 0
	for name, definition := range document.Definitions {
		list, _ := definition["x-kubernetes-group-version-kind"].([]any)
		if len(list) != 1 { // in every group, such as DeleteOptions
			continue
		}
		id := list[0].(object)
		if err := write(target, id["group"].(string), id["version"].(string), id["kind"].(string),
			object{"$ref": "_definitions.json#/definitions/" + name}); err != nil {
			return err
		}
		kinds++
	}
	if kinds == 0 {
		return errors.New("the document has no kinds")
	}
	return save(filepath.Join(target, "_definitions.json"), object{"definitions": document.Definitions})
}

// custom writes the schemas of a CustomResourceDefinition.
func custom(s source, target string) error {
	var crd struct {
		Spec struct {
			Group string `json:"group"`
			Names struct {
				Kind string `json:"kind"`
			} `json:"names"`
			Versions []struct {
				Name   string `json:"name"`
				Schema struct {
					Schema object `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := s.read(&crd); err != nil {
		return err
	}
	if len(crd.Spec.Versions) == 0 {
		return errors.New("no versions")
	}
	for _, v := range crd.Spec.Versions {
		strict(v.Schema.Schema)
		if err := write(target, crd.Spec.Group, v.Name, crd.Spec.Names.Kind, v.Schema.Schema); err != nil {
			return err
		}
	}
	return nil
}

// strict forbids properties that an object with named properties doesn't name, at every
// level. An object without any may hold anything. It removes descriptions, which are most
// of the text.
func strict(schema object) {
	delete(schema, "description")
	properties, _ := schema["properties"].(object)
	if _, says := schema["additionalProperties"]; !says && len(properties) > 0 && schema["x-kubernetes-preserve-unknown-fields"] != true {
		schema["additionalProperties"] = false
	}
	if schema["x-kubernetes-int-or-string"] == true {
		schema["type"] = []string{"string", "integer"}
	}
	for _, p := range properties {
		if inner, ok := p.(object); ok {
			strict(inner)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := schema[key].(object); ok {
			strict(inner)
		}
	}
}

// write saves a schema under the name that kubeconform looks for.
func write(target, group, version, kind string, schema object) error {
	name := strings.ToLower(kind)
	if group != "" {
		first, _, _ := strings.Cut(group, ".")
		name += "-" + first
	}
	return save(filepath.Join(target, name+"-"+version+".json"), schema)
}

func save(path string, schema object) error {
	data, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600) //nolint:gosec // made of the names of kinds
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// definitions are the schemas of a version of Kubernetes, by name.
type definitions map[string]spec.Schema

// ResolveSchema returns the schema of a kind of the core group with all references followed.
func (d definitions) ResolveSchema(kind schema.GroupVersionKind) (*spec.Schema, error) {
	if kind.Group != "" {
		return nil, resolver.ErrSchemaNotFound
	}
	find := func(ref string) (*spec.Schema, bool) {
		found, ok := d[ref[strings.LastIndex(ref, "/")+1:]]
		return &found, ok
	}
	return resolver.PopulateRefs(find, fmt.Sprintf("io.k8s.api.core.%s.%s", kind.Version, kind.Kind))
}

// checkTypes writes a policy's name and warnings, a line each: kube-apiserver's controller puts the
// same into its status. The checker passes over kinds without a schema, so each must have one.
func checkTypes(objects []runtime.Object, path string, output io.Writer) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var known definitions
	if err := json.Unmarshal(text, &known); err != nil {
		return err
	}
	for _, kind := range []string{"Node", "Pod"} {
		if _, err := known.ResolveSchema(schema.GroupVersionKind{Version: "v1", Kind: kind}); err != nil {
			return err
		}
	}
	checker := &validating.TypeChecker{SchemaResolver: known, RestMapper: mapResources()}
	for _, policy := range policiesOf(objects) {
		line := map[string]any{"policy": policy.Name, "warnings": checker.Check(policy)}
		if err := json.NewEncoder(output).Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// Command admission decides requests by the ValidatingAdmissionPolicy plugin of kube-apiserver
// itself (k8s.io/apiserver), without one: it reads policies, bindings and namespaces from a file,
// and admission.k8s.io/v1 AdmissionReviews from standard input, a line each. With -listen it answers
// as a webhook of an older kube-apiserver; with -types it checks the policies' types alone.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	admissionv1 "k8s.io/api/admission/v1"
	policyv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
)

// Unknown and repeated fields of a policy or an object are errors, as with kubectl's validation.
var decoder = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

func main() {
	objects := flag.String("objects", "", "policies, bindings and namespaces: a JSON array")
	types := flag.String("types", "", "Kubernetes' OpenAPI definitions: check types, then end")
	listen := flag.String("listen", "", "address of a webhook, in place of standard input")
	certificate := flag.String("certificate", "", "its certificate and key, in one PEM file")
	flag.Parse()
	loaded, err := loadObjects(*objects)
	exitOn(err)
	if *types != "" {
		exitOn(checkTypes(loaded, *types, os.Stdout))
		return
	}
	plugin, err := startPlugin(loaded)
	exitOn(err)
	if *listen != "" {
		http.HandleFunc("/review", func(w http.ResponseWriter, r *http.Request) {
			exitOn(json.NewEncoder(w).Encode(review(plugin, r.Body)))
		})
		exitOn(http.ListenAndServeTLS(*listen, *certificate, *certificate, nil))
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		exitOn(json.NewEncoder(os.Stdout).Encode(review(plugin, bytes.NewReader(lines.Bytes()))))
	}
	exitOn(lines.Err())
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
}

func loadObjects(path string) ([]runtime.Object, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(text, &documents); err != nil {
		return nil, err
	}
	var loaded []runtime.Object
	for _, document := range documents {
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, err
		}
		setDefaults(object)
		loaded = append(loaded, object)
	}
	return loaded, nil
}

// setDefaults sets what kube-apiserver's defaulting would: that code is not in k8s.io/apiserver.
func setDefaults(object runtime.Object) {
	var match *policyv1.MatchResources
	switch each := object.(type) {
	case *policyv1.ValidatingAdmissionPolicy:
		match = each.Spec.MatchConstraints
	case *policyv1.ValidatingAdmissionPolicyBinding:
		match = each.Spec.MatchResources
	}
	if match == nil {
		return
	}
	equivalent := policyv1.Equivalent
	if match.MatchPolicy == nil {
		match.MatchPolicy = &equivalent
	}
	for _, selector := range []**metav1.LabelSelector{&match.NamespaceSelector, &match.ObjectSelector} {
		if *selector == nil {
			*selector = &metav1.LabelSelector{}
		}
	}
}

// startPlugin gives the plugin what kube-apiserver gives it; only the client behind its informers
// answers from memory.
func startPlugin(objects []runtime.Object) (*validating.Plugin, error) {
	plugin, err := validating.NewPlugin(nil)
	if err != nil {
		return nil, err
	}
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	stop := make(chan struct{})
	plugin.SetExternalKubeInformerFactory(factory)
	plugin.SetExternalKubeClientSet(client)
	plugin.SetRESTMapper(mapResources())
	plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(scheme.Scheme))
	plugin.SetDrainedNotification(stop)
	plugin.SetAuthorizer(authorizerfactory.NewAlwaysDenyAuthorizer())
	if err := plugin.ValidateInitialization(); err != nil {
		return nil, err
	}
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	if !plugin.WaitForReady() {
		return nil, fmt.Errorf("the plugin did not become ready")
	}
	return plugin, nil
}

func mapResources() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for kind, scope := range map[string]meta.RESTScope{"Pod": meta.RESTScopeNamespace, "Node": meta.RESTScopeRoot} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), scope)
	}
	return mapper
}

// review answers one AdmissionReview; a request that cannot be read is denied with the reason.
func review(plugin *validating.Plugin, body io.Reader) *admissionv1.AdmissionReview {
	var asked admissionv1.AdmissionReview
	err := json.NewDecoder(body).Decode(&asked)
	answer := &admissionv1.AdmissionResponse{}
	if err == nil && asked.Request == nil {
		err = fmt.Errorf("no request")
	}
	if err == nil {
		answer.UID = asked.Request.UID
		err = decide(plugin, asked.Request)
	}
	answer.Allowed = err == nil
	if err != nil {
		answer.Result = &metav1.Status{Message: err.Error(), Code: http.StatusForbidden}
	}
	return &admissionv1.AdmissionReview{TypeMeta: asked.TypeMeta, Response: answer}
}

func decide(plugin *validating.Plugin, asked *admissionv1.AdmissionRequest) error {
	object, err := decode(asked.Object)
	if err != nil {
		return err
	}
	old, err := decode(asked.OldObject)
	if err != nil {
		return err
	}
	extra := map[string][]string{}
	for name, values := range asked.UserInfo.Extra {
		extra[name] = values
	}
	attributes := admission.NewAttributesRecord(
		object, old, schema.GroupVersionKind(asked.Kind), asked.Namespace, asked.Name,
		schema.GroupVersionResource(asked.Resource), asked.SubResource,
		admission.Operation(asked.Operation), nil, false,
		&user.DefaultInfo{Name: asked.UserInfo.Username, Groups: asked.UserInfo.Groups, Extra: extra},
	)
	return plugin.Validate(context.Background(), attributes, admission.NewObjectInterfacesFromScheme(scheme.Scheme))
}

func decode(raw runtime.RawExtension) (runtime.Object, error) {
	if len(raw.Raw) == 0 || string(raw.Raw) == "null" {
		return nil, nil
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(raw.Raw, nil, nil)
	return object, err
}

// policiesOf returns the policies among objects.
func policiesOf(objects []runtime.Object) []*policyv1.ValidatingAdmissionPolicy {
	var found []*policyv1.ValidatingAdmissionPolicy
	for _, object := range objects {
		if policy, ok := object.(*policyv1.ValidatingAdmissionPolicy); ok {
			found = append(found, policy)
		}
	}
	return found
}

package deploy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

func compose(t *testing.T, text string) (*deploy.Compose, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "serverless-compose.yml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return deploy.LoadCompose(file)
}

func TestComposedServicesComeAfterWhatTheyDependOn(t *testing.T) {
	c, err := compose(t, `
services:
  web:
    path: web
    dependsOn: [api, users]
  api:
    path: services/api
    config: serverless.prod.yml
    params:
      queue: ${ users.QueueUrl }/${sls:stage}
      plain: 12
  users:
    path: users
`)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, s := range c.Services {
		order = append(order, s.Name)
	}
	if diff := cmp.Diff([]string{"users", "api", "web"}, order); diff != "" {
		t.Error(diff)
	}
	api, err := c.Find("api")
	if err != nil || !strings.HasSuffix(api.Path, "/services/api/serverless.prod.yml") {
		t.Errorf("%+v, %v", api, err)
	}
	if _, err := c.Find("nobody"); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "users, api, web") {
		t.Errorf("a service that is not there: %v", err)
	}
	output := func(service, key string) (string, error) { return "<" + service + " " + key + ">", nil }
	got, err := api.Params("prod", os.LookupEnv, output)
	if diff := cmp.Diff(map[string]string{"queue": "<users QueueUrl>/prod", "plain": "12"}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	_, err = api.Params("prod", os.LookupEnv, func(string, string) (string, error) { return "", errors.New("no such output") })
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "serverless-compose.yml:10: no such output") {
		t.Errorf("an output that is not there: %v", err)
	}
}

func TestWrongComposeFiles(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":         {"", ":1: a compose file must be a map"},
		"no services":     {"name: x\n", ":1: there are no services"},
		"syntax":          {"services:\n\tx: y\n", ":2: "},
		"no path":         {"services:\n  a: {}\n", ":2: services.a.path is missing"},
		"a list":          {"services: [a]\n", ":1: services must be a map"},
		"twice":           {"services:\n  a: {path: a}\n  b: {path: a}\n  a: {path: b}\n", ":4: service \"a\" is there twice"},
		"unknown service": {"services:\n  a: {path: a, dependsOn: b}\n", ":2: services.a depends on \"b\", which is no service of this file"},
		"a circle":        {"services:\n  a: {path: a, dependsOn: b}\n  b:\n    path: b\n    params: {x: '${a.Y}'}\n", ":2: services depend on each other in a circle: a, b, a"},
		"another source":  {"services:\n  a:\n    path: a\n    params:\n      x: ${file(y)}\n      z: ${ssm:/a}\n", ":6: ${ssm:/a}: in a compose file there are"},
	} {
		_, err := compose(t, tt.text)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "serverless-compose.yml"+tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

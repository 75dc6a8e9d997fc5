package main

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestServerlessFileHasTheRoutesAndSubscriptions(t *testing.T) {
	b, err := os.ReadFile("serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Functions map[string]struct {
			Handler string
			Events  []struct {
				HTTPAPI string `yaml:"httpApi"`
				SNS     struct {
					TopicName string `yaml:"topicName"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"BUCKET": "b", "DATA_DIR": t.TempDir(), "AWS_REGION": "us-east-1"}
	seen, heard := 0, 0
	for name, f := range file.Functions {
		env["_HANDLER"] = f.Handler
		if h, err := function(t.Context(), func(k string) string { return env[k] }, slog.New(slog.DiscardHandler)); err != nil || h == nil || f.Handler != name {
			t.Errorf("function %s: got %v with handler %s", name, err, f.Handler)
		}
		for _, e := range f.Events {
			if e.HTTPAPI != "" {
				if seen++; routes[e.HTTPAPI] != name {
					t.Errorf("%s: got function %q in the plain server, want %q", e.HTTPAPI, routes[e.HTTPAPI], name)
				}
			}
			if e.SNS.TopicName != "" {
				heard++
				if !strings.Contains(" "+strings.Join(subscriptions[e.SNS.TopicName], " ")+" ", " "+name+" ") {
					t.Errorf("%s does not hear %s in the plain server", name, e.SNS.TopicName)
				}
			}
		}
	}
	if seen != len(routes) || heard != 7 {
		t.Errorf("got %d routes and %d subscriptions in the file, want %d and 7", seen, heard, len(routes))
	}
}

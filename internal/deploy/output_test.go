package deploy_test

import (
	"testing"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
)

func TestOutputsAnswer(t *testing.T) {
	r := &deploy.Revision{Region: "eu-west-1", APIs: []gateway.API{
		{ID: "rest", Kind: gateway.REST, Stage: "dev"}, {ID: "http", Kind: gateway.HTTP, Stage: "$default"}, {ID: "url", Kind: gateway.URL},
	}}
	cases := []struct{ name, value, want string }{
		{"a stage", "https://rest.execute-api.eu-west-1.amazonaws.com/dev", "http://rest.execute-api.eu-west-1.localhost:8080/dev"},
		{"a path", "https://rest.execute-api.eu-west-1.amazonaws.com/dev/a/b?c", "http://rest.execute-api.eu-west-1.localhost:8080/dev/a/b?c"},
		{"no stage", "https://rest.execute-api.eu-west-1.amazonaws.com", "http://rest.execute-api.eu-west-1.localhost:8080/dev"},
		{"an HTTP API", "https://http.execute-api.eu-west-1.amazonaws.com", "http://http.execute-api.eu-west-1.localhost:8080"},
		{"an HTTP API's path", "https://http.execute-api.eu-west-1.amazonaws.com/", "http://http.execute-api.eu-west-1.localhost:8080/"},
		{"a function's URL", "https://url.lambda-url.eu-west-1.on.aws/", "http://url.lambda-url.eu-west-1.on.localhost:8080/"},
		{"another's API", "https://other.execute-api.eu-west-1.amazonaws.com/dev", "https://other.execute-api.eu-west-1.amazonaws.com/dev"},
		{"another host", "https://rest.execute-api.eu-west-1.amazonaws.com.example.com/", "https://rest.execute-api.eu-west-1.amazonaws.com.example.com/"},
		{"text around it", "see https://rest.execute-api.eu-west-1.amazonaws.com/dev", "see https://rest.execute-api.eu-west-1.amazonaws.com/dev"},
		{"no address", "rest", "rest"},
	}
	for _, c := range cases {
		r.Outputs = append(r.Outputs, deploy.Output{Key: c.name, Value: c.value, Export: "kept"})
	}
	got := r.Answering(func(host string) string { return "http://" + host + ":8080" })
	for i, c := range cases {
		if want := (deploy.Output{Key: c.name, Value: c.want, Export: "kept"}); got[i] != want {
			t.Errorf("%s: got %+v, want %+v", c.name, got[i], want)
		}
		if r.Outputs[i].Value != c.value {
			t.Errorf("%s: the revision itself has become %s", c.name, r.Outputs[i].Value)
		}
		if as := r.Answering(nil)[i].Value; as != c.value {
			t.Errorf("%s: %s where nothing answers", c.name, as)
		}
	}
}

package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
)

// heard keeps the answers about custom resources.
type heard map[string]string

func (h heard) Answer(token string, body []byte) error {
	if token != "token" {
		return fault.Coded(fault.NotFound, "NoSuchKey", "nobody awaits an answer there")
	}
	h[token] = string(body)
	return nil
}

func TestAnswersAboutCustomResources(t *testing.T) {
	for name, c := range map[string]struct {
		method, host, path string
		status             int
		heard              bool
	}{
		"by path":                  {http.MethodPut, "", "/cloudformation-custom-resource-response/token", http.StatusOK, true},
		"by AWS's name":            {http.MethodPut, "cloudformation-custom-resource-response.s3.us-east-1.amazonaws.com", "/token", http.StatusOK, true},
		"that nobody awaits":       {http.MethodPut, "", "/cloudformation-custom-resource-response/guess", http.StatusNotFound, false},
		"are not read":             {http.MethodGet, "", "/cloudformation-custom-resource-response/token", http.StatusForbidden, false},
		"an object of that name":   {http.MethodPut, "", "/bucket/cloudformation-custom-resource-response/token", http.StatusForbidden, false},
		"a bucket that begins so":  {http.MethodPut, "cloudformation-custom-resource-response2.s3.us-east-1.amazonaws.com", "/token", http.StatusForbidden, false},
		"a bucket whose name more": {http.MethodPut, "", "/cloudformation-custom-resource-responses/token", http.StatusForbidden, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := heard{}
			w := serve(t, &api.Server{Answers: h})
			req, err := http.NewRequestWithContext(t.Context(), c.method, w.url+c.path, strings.NewReader(`{"Status":"SUCCESS"}`))
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				req.Host = c.host
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			want := ""
			if c.heard {
				want = `{"Status":"SUCCESS"}`
			}
			if got := h["token"]; resp.StatusCode != c.status || got != want {
				t.Errorf("got %d and heard %q, want %d and %q", resp.StatusCode, got, c.status, want)
			}
		})
	}
}

func TestThereAreNoRepositories(t *testing.T) {
	w := serve(t, &api.Server{Services: []*api.Service{api.ECR()}})
	resp, body := w.post(t, "ecr", "/", map[string]string{
		"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", "Content-Type": "application/x-amz-json-1.1",
	}, []byte(`{"registryId":"000000000000","repositoryNames":["serverless-app-dev"]}`))
	if want := "RepositoryNotFoundException"; resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, want) {
		t.Errorf("got %d %s, want %s", resp.StatusCode, body, want)
	}
}

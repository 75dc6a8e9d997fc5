package osls

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// feedBucket makes the bucket that the service has its deployments in.
func feedBucket(s *stack) { s.bucket("feed-" + s.cli.stage + "-deployments") }

// bucket makes a bucket of nobody's stack.
func (s *stack) bucket(name string) {
	s.Helper()
	_, err := s.objects().CreateBucket(s.Context(), &s3.CreateBucketInput{Bucket: &name})
	s.need(err)
}

func (s *stack) objects() *s3.Client {
	return s3.NewFromConfig(s.world.config, func(o *s3.Options) { o.UsePathStyle = true })
}

// useFeed goes through the doors of an HTTP API, and calls a function's URL.
func useFeed(s *stack) {
	const api = "HttpApiUrl"
	s.answers(api, request{method: "GET", path: "/feed/7"}, 200, map[string]any{
		"route": "GET /feed/{id}", "id": "7", "ready": "provisioned-concurrency", "calls": "provisioned",
	})
	s.answers(api, request{method: "DELETE", path: "/x/y"}, 200, map[string]any{"route": "$default"})
	preflight := s.answers(api, request{method: "OPTIONS", path: "/feed", header: http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"POST"}}}, 204, nil)
	if v := preflight.header.Get("Access-Control-Allow-Origin"); v != "https://app.example.com" {
		s.Errorf("a preflight request is answered with origin %q, want the one that is allowed", v)
	}

	// a function decides
	entry := request{method: "POST", path: "/feed", header: http.Header{"X-Door": {"ann"}}}
	s.answers(api, entry, 200, map[string]any{"who": "ann"})
	entry.header = http.Header{"X-Door": {"nobody"}}
	s.answers(api, entry, 403, map[string]any{"message": "Forbidden"})
	entry.header = nil
	s.answers(api, entry, 401, map[string]any{"message": "Unauthorized"})

	// a token decides
	bearer := func(claims map[string]any) http.Header {
		return http.Header{"Authorization": {"Bearer " + s.world.issuer.token(s, claims)}}
	}
	mine := request{method: "GET", path: "/mine"}
	s.answers(api, mine, 401, map[string]any{"message": "Unauthorized"})
	mine.header = bearer(map[string]any{"aud": "feed", "sub": "ann", "scope": "feed.read feed.write"})
	s.answers(api, mine, 200, map[string]any{"subject": "ann"})
	mine.header = bearer(map[string]any{"aud": "another", "sub": "ann", "scope": "feed.read"})
	s.answers(api, mine, 401, nil)
	mine.header = bearer(map[string]any{"aud": "feed", "sub": "ann", "scope": "feed.write"})
	s.answers(api, mine, 403, nil)
	mine.header = bearer(map[string]any{"aud": "feed", "sub": "ann", "scope": "feed.read", "exp": 1})
	s.answers(api, mine, 401, nil)

	s.answers("LinkLambdaFunctionUrl", request{method: "GET", path: "/"}, 200, map[string]any{"version": "one", "route": "$default"})
	for _, line := range []string{"line GET /feed/{id} 200", "line $default 200", "line POST /feed 403"} {
		s.loggedIn("/aws/http-api/"+s.name, line, soon)
	}
}

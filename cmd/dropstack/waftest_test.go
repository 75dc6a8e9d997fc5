package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const wall = `# as "aws wafv2 get-web-acl" prints it, in YAML
WebACL:
  Name: front
  Id: "1"
  ARN: arn:aws:wafv2:us-east-1:000000000000:global/webacl/front/1
  DefaultAction: {Allow: {}}
  VisibilityConfig: {SampledRequestsEnabled: false, CloudWatchMetricsEnabled: false, MetricName: front}
  Rules:
    - Name: office
      Priority: 1
      Action: {Count: {}}
      RuleLabels: [{Name: office}]
      VisibilityConfig: {SampledRequestsEnabled: false, CloudWatchMetricsEnabled: false, MetricName: office}
      Statement: {IPSetReferenceStatement: {ARN: "arn:office"}}
    - Name: admin
      Priority: 2
      Action: {Block: {CustomResponse: {ResponseCode: 404}}}
      VisibilityConfig: {SampledRequestsEnabled: false, CloudWatchMetricsEnabled: false, MetricName: admin}
      Statement:
        AndStatement:
          Statements:
            - ByteMatchStatement: {SearchString: L2FkbWlu, FieldToMatch: {UriPath: {}}, PositionalConstraint: STARTS_WITH, TextTransformations: [{Priority: 0, Type: LOWERCASE}]}
            - NotStatement: {Statement: {LabelMatchStatement: {Scope: LABEL, Key: office}}}
IPSets: [{Name: office, ARN: "arn:office", IPAddressVersion: IPV4, Addresses: [192.0.2.0/24]}]
`

const accessLog = "#Version: 1.0\n#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status cs-uri-query cs(User-Agent)\n" +
	"2026-11-26\t10:00:00\t203.0.113.9\tGET\texample.com\t/a\t200\tq=holiday\tcurl/8\n" +
	"2026-11-26\t10:00:01\t203.0.113.9\tGET\texample.com\t/a\t200\tid=1%2527%2520or%2520%25271%2527=%25271\tsqlmap\n"

func TestWebACLsAreTestedWithoutAPlatform(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	acl, bad := file("acl.yml", wall), file("bad.yml", strings.Replace(wall, "Type: LOWERCASE", "Type: ROT13", 1))
	log, urls := file("log", accessLog), file("urls", "# seen\n/a\n\nhttps://example.com/?x=<script>alert(1)</script>\n")
	raw := "POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 35\r\n\r\n{\"a\":{\"b\":\"1 union select 1,2\"},\"c\":1}"
	tests := []struct {
		name  string
		args  []string
		stdin string
		code  int
		want  []string // that is printed
	}{
		{"a URL", []string{"/search?q=1' or '1'='1"}, "", exitDone, []string{"GET /search?q=1' or '1'='1: blocked (403)", `block default/SQLi  in query.q: "1' or '1'='1"`}},
		{"one that is fine", []string{"https://example.com/?name=O'Brien"}, "", exitDone, []string{"let through"}},
		{"a body", []string{"-H", "Content-Type: application/json", "-d", `{"t":"<script>alert(1)</script>"}`, "/x"}, "", exitDone, []string{"POST /x: blocked", "default/XSSBody  in body.t"}},
		{"a body that is excepted", []string{"--skip", "body.t", "-H", "Content-Type: application/json", "-d", `{"t":"<script>alert(1)</script>"}`, "/x"}, "", exitDone, []string{"let through"}},
		{"a whole request", []string{"-"}, raw, exitDone, []string{"POST /a: blocked", "in body.a.b"}},
		{"a log", []string{"--log", log}, "", exitDone, []string{"1 of 2 requests are blocked", "default/SQLi  in query.id"}},
		{"URLs, as JSON", []string{"--json", "--urls", urls}, "", exitDone, []string{`"block":true,"rule":"default/XSS"`, `{"blocked":1,"requests":2}`}},
		{"a file's web ACL", []string{"--acl", acl, "/Admin/x"}, "", exitDone, []string{"blocked (404)", `block front/admin  in path: "/admin/x"`}},
		{"a file's web ACL, from the office", []string{"--acl", acl, "--client", "192.0.2.7", "/Admin/x"}, "", exitDone, []string{"let through", "count front/office  in client"}},
		{"the Core Rule Set", []string{"--crs", "/?f=../../../../etc/passwd"}, "", exitDone, []string{"block CRS", "930100"}},
		{"a web ACL that is wrong", []string{"--acl", bad, "/"}, "", exitWrongInput, []string{`web ACL "front": rule "admin": Statement: AndStatement: 0: ByteMatchStatement: TextTransformations: there is no type "ROT13"`}},
		{"nothing to ask", nil, "", exitWrongInput, []string{"name a URL"}},
		{"no path", []string{"x"}, "", exitWrongInput, []string{"neither a URL nor a path"}},
		{"no address", []string{"--client", "me", "/"}, "", exitWrongInput, []string{`client "me" is no address`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			code := run(t.Context(), append([]string{"waf", "test", "--data", dir}, tt.args...), strings.NewReader(tt.stdin), &out, &out)
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, &out)
				}
			}
		})
	}
}

func TestReputationListsAreNamed(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(list, []byte("198.51.100.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(want string, code int, args ...string) {
		t.Helper()
		var out bytes.Buffer
		if got := run(t.Context(), append([]string{"waf", "lists", "--data", dir}, args...), strings.NewReader(""), &out, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit %d, want %d and %q in\n%s", args, got, code, want, &out)
		}
	}
	do("", exitDone, "add", "mine", list)
	do("", exitDone, "add", "drop", "https://lists.example/drop.txt", "--every", "6h")
	do("https://lists.example/drop.txt", exitDone)
	do("not below 1h0m0s", exitWrongInput, "add", "drop", "https://lists.example/drop.txt", "--every", "5m")
	do("", exitDone, "remove", "drop")
	do(`there is no list "drop"`, exitFailed, "remove", "drop")
}

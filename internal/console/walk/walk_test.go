package walk

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/topic"
)

// many is how many functions are listed, of which a few do something.
const many = 200

const handler = `
exports.order = async (event) => { console.log(JSON.stringify({level: "info", msg: "ordered", sku: event.sku ?? "pear"})); return {ordered: event.sku ?? "pear"} }
exports.fail = async () => { throw new TypeError("the till is closed") }
exports.slow = async () => new Promise((done) => setTimeout(() => done("late"), 80))
exports.other = async () => null
`

// shop is a service of many functions, in a directory of its own.
func shop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var yml strings.Builder
	yml.WriteString(`service: shop
provider: {name: aws, runtime: nodejs20.x, memorySize: 128}
custom:
  dropstack:
    monitors:
      - {name: till, path: /till, title: The till, owner: shop@example.com}
    distributions:
      - name: site
        aliases: [shop.localhost]
        behaviours: [{path: "*", cache: true}]
    alerts:
      groups:
        - name: shop
          rules:
            - {alert: TillClosed, expr: sum by (function) (dropstack_function_errors_total) > 0, labels: {severity: critical}, annotations: {summary: the till is closed, owner: shop@example.com}}
functions:
  order:
    handler: handler.order
    description: takes an order
    environment: {TILL: "1", SECRET_WORD: hush}
    events:
      - httpApi: "POST /orders"
      - sns: orders
      - schedule: rate(1 hour)
      - schedule: cron(0 9 ? * MON-FRI *)
      - sqs: {arn: {Fn::GetAtt: [Jobs, Arn]}}
  fail:
    handler: handler.fail
    events:
      - httpApi: "GET /till"
  slow: {handler: handler.slow}
`)
	for i := range many - 3 {
		fmt.Fprintf(&yml, "  f%03d: {handler: handler.other}\n", i)
	}
	yml.WriteString(`resources:
  Resources:
    Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}}}
    Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs-dead}}
    Photos: {Type: AWS::S3::Bucket, Properties: {BucketName: shop-photos}}
    Till: {Type: AWS::Events::EventBus, Properties: {Name: till}}
    Sold: {Type: AWS::Events::Rule, Properties: {Name: sold, EventBusName: !Ref Till, EventPattern: {source: [till]}, Targets: [{Id: a, Arn: !GetAtt Jobs.Arn}]}}
`)
	for name, text := range map[string]string{"serverless.yml": yml.String(), "handler.js": handler} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// furnish does what leaves something on every screen: objects, parameters, messages,
// bans, and requests at the edge of which the firewall blocks one.
func furnish(t *testing.T, p *testkit.Platform, client *api.Client) {
	t.Helper()
	for _, key := range []string{"readme.txt", "2026/pear.txt", "2026/winter/plum & quince.txt"} {
		in := &s3.PutObjectInput{Bucket: aws.String("shop-photos"), Key: aws.String(key), Body: strings.NewReader("fruit"), CacheControl: aws.String("max-age=60")}
		if _, err := client.S3().PutObject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for name, kind := range map[string]string{"/shop/password": "SecureString", "/shop/till": "String"} {
		in := secret.PutParameterInput{Name: name, Type: kind, Value: "hush", Tags: []secret.Tag{{Key: "team", Value: "till"}}}
		if err := client.AWS(t.Context(), "ssm", "AmazonSSM.PutParameter", in, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.AWS(t.Context(), "sns", "Publish", topic.PublishInput{TopicArn: "arn:aws:sns:us-east-1:000000000000:orders", Message: "a pear"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), "PutBan", ban.PutInput{Client: "203.0.113.7", Seconds: 3600, Reason: "guesses passwords"}, nil); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/orders": http.StatusOK, "/nothing": http.StatusNotFound, "/?q=%3Cscript%3Ealert(1)%3C/script%3E": http.StatusForbidden} {
		method := http.MethodGet
		if path == "/orders" {
			method = http.MethodPost
		}
		req, err := http.NewRequestWithContext(t.Context(), method, p.HTTP+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.localhost"
		req.Header.Set("User-Agent", "a test")
		send(t, req, status)
	}
}

func send(t *testing.T, req *http.Request, want int) {
	t.Helper()
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != want {
		t.Fatalf("%s %s answered %s, want %d", req.Method, req.URL, answer.Status, want)
	}
}

func TestEveryScreen(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	if out, errs, code := p.Run(t, "", "deploy", shop(t)); code != 0 {
		t.Fatalf("deploy: %s%s", out, errs)
	}
	client := administrator(t, p)
	for range 5 {
		for _, name := range []string{"order", "fail", "slow"} {
			if _, err := client.Invoke(t.Context(), "shop-dev-"+name, []byte("{}"), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	furnish(t, p, client)
	screenshots := os.Getenv("DROPSTACK_SCREENSHOTS")
	if screenshots != "" {
		if err := os.MkdirAll(screenshots, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	screens := 0
	told := map[string]any{"screenshots": screenshots, "reader": user(t, client, "newcomer")} // who may do nothing yet
	browse(t, p, "walk.mjs", told, func(f found) {
		switch f.Kind {
		case "screen":
			screens++
		case "paint":
			t.Logf("with %d functions: first paint %.0f ms, list after %.0f ms; %d requests, %d bytes", many, f.FirstPaint, f.Listed, f.Requests, f.Bytes)
			if f.Rows < 50 || f.Requests > 20 || f.Bytes > 600<<10 {
				t.Errorf("the list of functions: %d rows by %d requests of %d bytes; want 50 rows, by at most 20 requests of 600 KB", f.Rows, f.Requests, f.Bytes)
			}
		}
	})
	if screens < 40 {
		t.Errorf("only %d screens were looked at", screens)
	}
	t.Logf("%d screens were looked at", screens)
}

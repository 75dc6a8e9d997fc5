package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/testkit"
)

const inquisitive = `service: asking
provider: {name: aws, stage: "${opt:stage, 'dev'}"}
custom:
  parameter: ${ssm:/asking/db}
  object: ${s3:asking-files/config/name.txt}
  output: ${cf:net-prod.VpcId}
  none: ${ssm:/none, s3:asking-files/none, cf:net-prod.None, cf:none.VpcId, 'none'}
  given: ${param:given} ${sls:stage} ${aws:region} ${opt:region}
  program: ${file(program.js)}
`

// TestPrintAsksThePlatform prints a service whose variables are parameters, objects
// and outputs of stacks.
func TestPrintAsksThePlatform(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	client := admin(t, p)
	if _, errs, code := p.Run(t, `{"host": "db", "port": 5432}`, "param", "put", "/asking/db"); code != exitDone {
		t.Fatalf("param put: exit %d\n%s", code, errs)
	}
	store := client.S3()
	if _, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("asking-files")}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("asking-files"), Key: aws.String("config/name.txt"), Body: strings.NewReader("from the bucket")}); err != nil {
		t.Fatal(err)
	}
	net := api.DeployInput{Revision: deploy.Revision{
		Stack: "net-prod", Service: "net", Stage: "prod", Region: "us-east-1", Outputs: []deploy.Output{{Key: "VpcId", Value: "vpc-1"}},
	}}
	if err := client.Call(t.Context(), "Deploy", net, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"serverless.yml": inquisitive, "program.js": "console.log('noise');\nmodule.exports = ({ resolveVariable }) => resolveVariable('ssm:/asking/db');\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code := p.Run(t, "", "print", dir, "--stage", "prod", "--region", "eu-west-1", "--param", "given=5", "--path", "custom")
	const want = `parameter:
  host: db
  port: 5432
object: from the bucket
output: vpc-1
none: none
given: 5 prod eu-west-1 eu-west-1
program:
  host: db
  port: 5432
`
	if out != want || code != exitDone {
		t.Errorf("exit %d, got\n%s\nwant\n%s\n%s", code, out, want, errs)
	}
	if !strings.Contains(errs, "noise") {
		t.Errorf("what the program printed is not on standard error: %s", errs)
	}
	if _, errs, code := p.Run(t, "", "print", dir, "--param", "given"); code != exitWrongInput || !strings.Contains(errs, `--param "given": want NAME=VALUE`) {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if code := p.Stop(t); code != exitDone {
		t.Errorf("exit code %d\n%s", code, p.Log())
	}
}

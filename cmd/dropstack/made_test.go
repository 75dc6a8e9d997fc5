package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

// program is a zip of the program that tests of instances run.
func program(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-o", out, "../../internal/instance/testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if told, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, told)
	}
	doc, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(doc)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func functions(t *testing.T, p *testkit.Platform) *lambda.Client {
	t.Helper()
	keys, err := iam.ReadCredentials(filepath.Join(p.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: &p.AWS, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	})
}

// TestAFunctionThatACallMade is there after a crash, as it was, and its secret is
// nowhere.
func TestAFunctionThatACallMade(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	deployEvents(t, p) // which brings a role
	code, name := program(t), aws.String("made")
	_, err := functions(t, p).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: name, Role: aws.String("arn:aws:iam::000000000000:role/events-dev-us-east-1-lambdaRole"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"),
		Code: &types.FunctionCode{ZipFile: code}, Environment: &types.Environment{Variables: map[string]string{"PASSWORD": "planted-by-a-call"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	nowhere(t, p.Dir, "planted-by-a-call")
	p = testkit.Start(t, p.Dir, "--services", "none")
	c := functions(t, p)
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name, Payload: []byte(`{"mode":"env"}`)})
	if err != nil || out.FunctionError != nil || !strings.Contains(string(out.Payload), "PASSWORD=planted-by-a-call") || !strings.Contains(string(out.Payload), "AWS_SESSION_TOKEN=") {
		t.Errorf("after a crash: %+v, %v\n%s", out, err, p.Log())
	}
	got, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(*got.Code.Location)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if doc, err := io.ReadAll(resp.Body); err != nil || sha256.Sum256(doc) != sha256.Sum256(code) {
		t.Errorf("the code at its location: %s, %d bytes, %v", resp.Status, len(doc), err)
	}
	if list, _, _ := p.Run(t, "", "info", "api"); !strings.Contains(list, "made by calls of the AWS API") || !strings.Contains(list, "provided.al2023 128 MB 3 s") {
		t.Errorf("info: %s", list)
	}
	nobody := &lambda.CreateFunctionInput{
		FunctionName: aws.String("other"), Role: aws.String("arn:aws:iam::000000000000:role/nobody"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Code: &types.FunctionCode{ZipFile: code},
	}
	if _, err := c.CreateFunction(t.Context(), nobody); err == nil || !strings.Contains(err.Error(), "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda") {
		t.Errorf("a role that is not there: %v", err)
	}
}

// Names reaches AWS as programs of 2017 do: with an SDK that knows no setting for
// another endpoint. It is two programs in one, so that a function can carry the
// other with it.
//
// On a command line it prints the parameters below AWS_ENV_PATH as variables, by
// the calls that aws-env makes and in its words. As a function it runs itself like
// that, and tells what else it finds by AWS's names.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/ssm"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" && os.Getenv("AWS_ENV_PATH") == "" {
		lambda.Start(tell)
		return
	}
	recursive := flag.Bool("recursive", false, "all levels below the path")
	flag.Parse()
	if err := export(os.Getenv("AWS_ENV_PATH"), *recursive); err != nil {
		log.Panic(err)
	}
}

// export makes the calls of aws-env: every page of GetParametersByPath, decrypted.
func export(path string, recursive bool) error {
	if path == "" {
		log.Print("running locally, without AWS_ENV_PATH")
		return nil
	}
	client := ssm.New(session.Must(session.NewSession()))
	in := &ssm.GetParametersByPathInput{Path: &path, Recursive: &recursive, WithDecryption: aws.Bool(true)}
	for {
		out, err := client.GetParametersByPath(in)
		if err != nil {
			return err
		}
		for _, p := range out.Parameters {
			name := strings.ReplaceAll(strings.Trim((*p.Name)[len(path):], "/"), "/", "_")
			fmt.Printf("export %s=$'%s'\n", name, strings.ReplaceAll(*p.Value, "\n", `\n`))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

// question is what a function is asked.
type question struct {
	Path, Bucket, Key string
	Others            []string // names to ask for at the address of Parameter Store
}

// answer is what it found.
type answer struct {
	Exports, Object string
	Addresses       []string          // of Parameter Store
	Refused         map[string]string // why the others are not served, "" if they are
}

func tell(ctx context.Context, q question) (a answer, err error) {
	self, err := os.Executable()
	if err != nil {
		return a, err
	}
	run := exec.CommandContext(ctx, self, "-recursive")
	run.Env = append(os.Environ(), "AWS_ENV_PATH="+q.Path)
	out, err := run.CombinedOutput()
	if err != nil {
		return a, fmt.Errorf("%w: %s", err, out)
	}
	a.Exports = string(out)
	object, err := s3.New(session.Must(session.NewSession())).GetObjectWithContext(ctx, &s3.GetObjectInput{Bucket: &q.Bucket, Key: &q.Key})
	if err != nil {
		return a, err
	}
	defer object.Body.Close()
	content, err := io.ReadAll(object.Body)
	if err != nil {
		return a, err
	}
	a.Object = string(content)
	if a.Addresses, err = net.DefaultResolver.LookupHost(ctx, "ssm.us-east-1.amazonaws.com"); err != nil {
		return a, err
	}
	a.Refused = map[string]string{}
	for _, name := range q.Others {
		conn, err := tls.Dial("tcp", net.JoinHostPort(a.Addresses[0], "443"), &tls.Config{ServerName: name})
		if err != nil {
			a.Refused[name] = err.Error()
			continue
		}
		a.Refused[name] = ""
		conn.Close()
	}
	return a, nil
}

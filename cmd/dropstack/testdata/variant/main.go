// Command bootstrap is a function that says which variant of its code it is: what
// the file beside it says. The variant "broken" fails.
package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	doc, err := os.ReadFile(filepath.Join(os.Getenv("LAMBDA_TASK_ROOT"), "variant"))
	if err != nil {
		panic(err)
	}
	variant := strings.TrimSpace(string(doc))
	lambda.Start(func() (string, error) {
		if variant == "broken" {
			return "", errors.New("this variant is broken")
		}
		return "variant " + variant, nil
	})
}

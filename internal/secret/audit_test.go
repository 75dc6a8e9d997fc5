package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
)

func TestRecordsOfCallsHoldNoSecret(t *testing.T) {
	const planted = "planted"
	for _, call := range []any{
		secret.PutParameterInput{Name: "/n", Value: planted},
		secret.GetParameterOutput{Parameter: secret.Parameter{Value: planted}},
		secret.GetParametersOutput{Parameters: []secret.Parameter{{Value: planted}}},
		secret.GetParametersByPathOutput{Parameters: []secret.Parameter{{Value: planted}}},
		secret.GetParameterHistoryOutput{Parameters: []secret.ParameterHistory{{Value: planted}}},
		kms.EncryptInput{Plaintext: []byte(planted)},
		kms.DecryptOutput{Plaintext: []byte(planted)},
		kms.GenerateDataKeyOutput{Plaintext: []byte(planted)},
		kms.GenerateRandomOutput{Plaintext: []byte(planted)},
		kms.GenerateMacInput{Message: []byte(planted)},
		kms.SignInput{Message: []byte(planted)},
		kms.CreateGrantOutput{GrantToken: planted},
	} {
		doc, err := json.Marshal(audit.Parameters(call))
		if err != nil {
			t.Fatal(err)
		}
		if text := string(doc) + fmt.Sprint(audit.Parameters(call)); strings.Contains(text, planted) || strings.Contains(text, "cGxhbnRlZA") || strings.Contains(text, "112 108 97") {
			t.Errorf("the record of %T shows its secret: %s", call, text)
		}
	}
}

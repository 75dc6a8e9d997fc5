package server

import (
	"context"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// environments seals the environments of functions under the root key.
type environments struct{ keys *iam.Authority }

// use tells what is sealed for functions from what is sealed for others.
const use = "function environment\x00"

// Seal refuses a key of one's own: there is only the platform's.
func (e environments) Seal(_ context.Context, keyARN string, plaintext, context []byte) ([]byte, error) {
	if keyARN != "" {
		return nil, fault.Coded(fault.Invalid, "InvalidParameterValueException", "the key %s cannot be used here: environments are sealed under the platform's own; leave kmsKeyArn out", keyARN)
	}
	return e.keys.Sealer.Seal(plaintext, append([]byte(use), context...))
}

func (e environments) Open(_ context.Context, _ string, sealed, context []byte) ([]byte, error) {
	return e.keys.Sealer.Open(sealed, append([]byte(use), context...))
}

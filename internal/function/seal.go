package function

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dropstack/dropstack/internal/fault"
)

// Sealer encrypts what is stored of functions, so that a copy of the data
// directory tells nothing of their environments.
type Sealer interface {
	// Seal encrypts under a key of KMS; "" is the platform's own for functions.
	// What is sealed in one context opens in no other.
	Seal(ctx context.Context, keyARN string, plaintext, context []byte) ([]byte, error)
	// Open decrypts what Seal made under the same key.
	Open(ctx context.Context, keyARN string, sealed, context []byte) ([]byte, error)
}

// Seal is a function as it is stored: its environment encrypted. Without a sealer
// it is stored as it is.
func Seal(ctx context.Context, s Sealer, fn Function) (Function, error) {
	if s == nil || len(fn.Environment) == 0 {
		return fn, nil
	}
	doc, err := json.Marshal(fn.Environment)
	if err != nil {
		return fn, err
	}
	if fn.Sealed, err = s.Seal(ctx, fn.KeyARN, doc, []byte(fn.ARN)); err != nil {
		return fn, fmt.Errorf("encrypt the environment of function %s: %w", fn.Name, err)
	}
	fn.Environment = nil
	return fn, nil
}

// Open is a function that was stored as it is in memory.
func Open(ctx context.Context, s Sealer, fn Function) (Function, error) {
	if len(fn.Sealed) == 0 {
		return fn, nil
	}
	if s == nil {
		return fn, fault.Errorf(fault.Unavailable, "the environment of function %s is encrypted and there is no key", fn.Name)
	}
	doc, err := s.Open(ctx, fn.KeyARN, fn.Sealed, []byte(fn.ARN))
	if err != nil {
		return fn, fmt.Errorf("decrypt the environment of function %s: %w", fn.Name, err)
	}
	fn.Sealed, fn.Environment = nil, nil
	if err := json.Unmarshal(doc, &fn.Environment); err != nil {
		return fn, fmt.Errorf("the environment of function %s is damaged", fn.Name) // the cause would quote it
	}
	return fn, nil
}

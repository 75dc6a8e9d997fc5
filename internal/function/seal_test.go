package function_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// vault seals under keys that are made of their names.
type vault struct{}

func (vault) cipher(key string) (cipher.AEAD, error) {
	sum := sha256.Sum256([]byte("test " + key))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (v vault) Seal(_ context.Context, key string, plaintext, context []byte) ([]byte, error) {
	c, err := v.cipher(key)
	if err != nil {
		return nil, err
	}
	return c.Seal(nil, nil, plaintext, context), nil
}

func (v vault) Open(_ context.Context, key string, sealed, context []byte) ([]byte, error) {
	c, err := v.cipher(key)
	if err != nil {
		return nil, err
	}
	return c.Open(nil, nil, sealed, context)
}

func TestSealedFunctionsOpenForThemselvesOnly(t *testing.T) {
	f := function.Function{Name: "f", ARN: "arn:f", KeyARN: "k", Environment: map[string]string{"PASSWORD": "planted"}}
	sealed, err := function.Seal(t.Context(), vault{}, f)
	if err != nil || len(sealed.Environment) != 0 || len(f.Environment) != 1 {
		t.Fatalf("sealed %+v, %v", sealed, err)
	}
	if open, err := function.Open(t.Context(), vault{}, sealed); err != nil || open.Environment["PASSWORD"] != "planted" || open.Sealed != nil {
		t.Errorf("opened %+v, %v", open, err)
	}
	for what, change := range map[string]func(*function.Function){
		"another function": func(f *function.Function) { f.ARN = "arn:g" },
		"another key":      func(f *function.Function) { f.KeyARN = "" },
		"damaged":          func(f *function.Function) { f.Sealed = f.Sealed[1:] },
	} {
		other := sealed
		change(&other)
		if _, err := function.Open(t.Context(), vault{}, other); err == nil {
			t.Errorf("%s: opened", what)
		}
	}
	if _, err := function.Open(t.Context(), nil, sealed); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a key: %v", err)
	}
}

func TestVersionsAreStoredSealed(t *testing.T) {
	dir := t.TempDir()
	secret := rand.Text()
	t.Run("first life", func(t *testing.T) {
		i := loadedWith(t, dir, vault{})
		replace(t, i, told(secret))
		publish(t, i)
	})
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		doc, err := os.ReadFile(path)
		if bytes.Contains(doc, []byte(secret)) {
			t.Errorf("%s tells the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	i := loadedWith(t, dir, vault{})
	replace(t, i, told("other"))
	if w, _ := word(t, i, "told:1"); w != secret {
		t.Errorf("the version has %q", w)
	}
}

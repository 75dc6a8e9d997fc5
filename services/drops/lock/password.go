package lock

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// argon2id with 19 MiB and two passes costs about 80 ms of a core.
const (
	memory = 19 << 10 // KiB
	passes = 2
	length = 32
)

// slots bounds how much memory and processor passwords take at once.
var slots = make(chan struct{}, 2)

func derive(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, passes, memory, 1, length), nil
}

// HashPassword returns the PHC string of a password.
func HashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	sum, err := derive(ctx, password, salt)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, memory, passes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum)), nil
}

// CheckPassword reports whether password is the one that was hashed.
func CheckPassword(ctx context.Context, password, hash string) (bool, error) {
	parts := strings.Split(hash, "$")
	if want := fmt.Sprintf("m=%d,t=%d,p=1", memory, passes); len(parts) != 6 || parts[1] != "argon2id" || parts[3] != want {
		return false, fmt.Errorf("stored password hash has an unknown form")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("stored password hash: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("stored password hash: %w", err)
	}
	got, err := derive(ctx, password, salt)
	return subtle.ConstantTimeCompare(got, want) == 1, err
}

package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dropstack/dropstack/internal/durable"
	"github.com/dropstack/dropstack/internal/fault"
)

// Credentials are an access key. SessionToken is empty for one that lasts.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
}

// newCredentials makes an access key whose id begins with prefix: AKIA for one that
// lasts, ASIA for a session's.
func newCredentials(prefix string) Credentials {
	var id [10]byte
	var secret [30]byte
	_, _ = rand.Read(id[:]) // never fails
	_, _ = rand.Read(secret[:])
	return Credentials{
		AccessKeyID:     prefix + base32.StdEncoding.EncodeToString(id[:]),
		SecretAccessKey: base64.StdEncoding.EncodeToString(secret[:]),
	}
}

func openAdmin(path string) (Credentials, error) {
	c, err := ReadCredentials(path)
	if !errors.Is(err, os.ErrNotExist) {
		return c, err
	}
	c = newCredentials("AKIA")
	doc := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, c.SecretAccessKey)
	return c, durable.WriteFile(path, []byte(doc), 0o600)
}

// ReadCredentials reads the [default] profile of an AWS shared-credentials file.
func ReadCredentials(path string) (Credentials, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, err
	}
	var c Credentials
	section := ""
	for line := range strings.Lines(string(doc)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if section != "[default]" {
			continue
		}
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			c.AccessKeyID = strings.TrimSpace(value)
		case "aws_secret_access_key":
			c.SecretAccessKey = strings.TrimSpace(value)
		}
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return Credentials{}, fault.Errorf(fault.Invalid, "%s: profile [default] lacks aws_access_key_id or aws_secret_access_key; restore it, or remove the file to make a new key", path)
	}
	return c, nil
}

package iam

import (
	"crypto/sha256"
	"crypto/subtle"
)

// Holder is whose valid access key it is, given the session token that came with it,
// or "" for a key that lasts.
func (a *Authority) Holder(accessKeyID, token string) (Principal, error) {
	_, who, err := a.find(accessKeyID, token)
	return who, err
}

// Authenticate is Holder for whoever can tell the key's secret. A wrong secret is the
// same error as an unknown key.
func (a *Authority) Authenticate(accessKeyID, secret, token string) (Principal, error) {
	keys, who, err := a.find(accessKeyID, token)
	if err != nil {
		return Principal{}, err
	}
	given, kept := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(keys.SecretAccessKey))
	if subtle.ConstantTimeCompare(given[:], kept[:]) != 1 {
		return Principal{}, errUnknownKey
	}
	return who, nil
}

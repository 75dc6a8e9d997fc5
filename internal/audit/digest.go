package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
)

// Digest closes log files: CloudTrail's digest document. Its buckets and objects
// are directories and files below the data directory.
type Digest struct {
	AWSAccountID                string    `json:"awsAccountId"`
	DigestStartTime             time.Time `json:"digestStartTime"`
	DigestEndTime               time.Time `json:"digestEndTime"`
	DigestS3Bucket              string    `json:"digestS3Bucket"`
	DigestS3Object              string    `json:"digestS3Object"`
	DigestPublicKeyFingerprint  string    `json:"digestPublicKeyFingerprint"`
	DigestSignatureAlgorithm    string    `json:"digestSignatureAlgorithm"`
	NewestEventTime             time.Time `json:"newestEventTime"` // of the last record
	OldestEventTime             time.Time `json:"oldestEventTime"` // of the first
	PreviousDigestS3Bucket      string    `json:"previousDigestS3Bucket,omitempty"`
	PreviousDigestS3Object      string    `json:"previousDigestS3Object,omitempty"`
	PreviousDigestHashValue     string    `json:"previousDigestHashValue,omitempty"`
	PreviousDigestHashAlgorithm string    `json:"previousDigestHashAlgorithm,omitempty"`
	PreviousDigestSignature     string    `json:"previousDigestSignature,omitempty"`
	LogFiles                    []LogFile `json:"logFiles"`
}

// LogFile is a log file as a digest has found it; the last three members are
// ours.
type LogFile struct {
	S3Bucket        string    `json:"s3Bucket"`
	S3Object        string    `json:"s3Object"`
	HashValue       string    `json:"hashValue"`
	HashAlgorithm   string    `json:"hashAlgorithm"`
	NewestEventTime time.Time `json:"newestEventTime"`
	OldestEventTime time.Time `json:"oldestEventTime"`

	FirstSequence uint64 `json:"firstSequence"`
	LastSequence  uint64 `json:"lastSequence"`
	LastHash      sum    `json:"lastHash"` // of the last record: where the chain goes on
}

func (f LogFile) name() string { return filepath.Base(f.S3Object) }
func (f LogFile) last() link   { return link{f.LastSequence, f.LastHash} }

const (
	bucket    = "audit"
	algorithm = "SHA-256"
)

// signed is a digest in its place in the row of digests.
type signed struct {
	Digest
	number    uint64
	name      string
	hash      sum // of the document
	signature string
}

// last is where the chain stands after a digest's files.
func (s signed) last() link {
	if len(s.LogFiles) == 0 {
		return link{}
	}
	return s.LogFiles[len(s.LogFiles)-1].last()
}

// signDigest completes a digest that follows prev and renders it.
func signDigest(d Digest, number uint64, prev signed, key ed25519.PrivateKey) (signed, []byte, error) {
	name := digestName(number, d.DigestEndTime)
	d.AWSAccountID, d.DigestS3Bucket, d.DigestS3Object = arn.Account, bucket, digestDir+"/"+name
	d.DigestPublicKeyFingerprint, d.DigestSignatureAlgorithm = Fingerprint(key.Public().(ed25519.PublicKey)), "Ed25519"
	if prev.number > 0 {
		d.PreviousDigestS3Bucket, d.PreviousDigestHashAlgorithm = bucket, algorithm
		d.PreviousDigestHashValue = prev.hash.String()
		if prev.name != "" {
			d.PreviousDigestS3Object, d.PreviousDigestSignature = digestDir+"/"+prev.name, prev.signature
		}
	}
	doc, err := json.Marshal(d)
	if err != nil {
		return signed{}, nil, err
	}
	s := signed{Digest: d, number: number, name: name, hash: sha256.Sum256(doc)}
	s.signature = hex.EncodeToString(ed25519.Sign(key, s.message()))
	return s, renderDigest(doc, s.signature), nil
}

// message is what is signed, put together as CloudTrail does.
func (s signed) message() []byte {
	return fmt.Appendf(nil, "%s\n%s/%s\n%s\n%s",
		s.DigestEndTime.UTC().Format(time.RFC3339), s.DigestS3Bucket, s.DigestS3Object, s.hash, s.PreviousDigestSignature)
}

func renderDigest(doc []byte, signature string) []byte {
	out := append(bytes.Clone(doc), "\n{\"signature\":\""...)
	return append(append(out, signature...), "\"}\n"...)
}

// readDigest reads a digest's file and checks its signature. What it returns with
// an error is as much as could be read.
func readDigest(dir string, n named, keys keyring) (signed, error) {
	doc, err := os.ReadFile(filepath.Join(dir, digestDir, n.name))
	if err != nil {
		return signed{}, err
	}
	s := signed{number: n.number, name: n.name}
	body, rest, _ := bytes.Cut(doc, []byte("\n"))
	var second struct {
		Signature string `json:"signature"`
	}
	if json.Unmarshal(rest, &second) != nil || !bytes.Equal(renderDigest(body, second.Signature), doc) {
		return s, errors.New("not a digest and its signature: changed or cut")
	}
	if err := json.Unmarshal(body, &s.Digest); err != nil {
		return s, fmt.Errorf("not a digest: %w", err)
	}
	s.hash, s.signature = sha256.Sum256(body), second.Signature
	signature, err := hex.DecodeString(second.Signature)
	if err != nil || hex.EncodeToString(signature) != second.Signature {
		return s, errors.New("not a signature: changed or cut")
	}
	if err := keys.verify(s.DigestPublicKeyFingerprint, s.message(), signature); err != nil {
		return s, err
	}
	if s.DigestS3Object != digestDir+"/"+n.name {
		return s, fmt.Errorf("this is %s under another name", s.DigestS3Object)
	}
	return s, nil
}

package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// Limits of AWS Lambda on code.
const (
	maxZip   = 50 << 20 // bytes of a zip in a request
	maxStore = 75 << 30 // bytes of all code together
)

// Code is the code of a function or the content of a layer, in the request or in a
// bucket.
type Code struct {
	ZipFile         []byte `json:",omitempty"`
	S3Bucket        string `json:",omitempty"`
	S3Key           string `json:",omitempty"`
	S3ObjectVersion string `json:",omitempty"`
	ImageUri        string `json:",omitempty"`
	SourceKMSKeyArn string `json:",omitempty"`
}

// artifact is code that is stored.
type artifact struct {
	sha  string // in hex
	size int64
}

// store keeps code as an artifact, named by its content; dry only checks it.
func (l *Functions) store(ctx context.Context, c Code, dry bool) (artifact, error) {
	switch {
	case c.ImageUri != "":
		return artifact{}, unsupported("ImageUri", "there would be no code to run; upload a zip")
	case c.S3ObjectVersion != "":
		return artifact{}, unsupported("S3ObjectVersion", "objects have one version")
	case c.SourceKMSKeyArn != "":
		return artifact{}, unsupported("SourceKMSKeyArn", "the zip is kept as it is")
	case len(c.ZipFile) > 0 && (c.S3Bucket != "" || c.S3Key != ""):
		return artifact{}, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case len(c.ZipFile) > maxZip:
		return artifact{}, fault.Coded(fault.TooLarge, "RequestEntityTooLargeException", "The zip has %d bytes; up to %d can be in a request, more can be in a bucket.", len(c.ZipFile), maxZip)
	case len(c.ZipFile) > 0:
		sum := sha256.Sum256(c.ZipFile)
		return l.keep(ctx, hex.EncodeToString(sum[:]), bytes.NewReader(c.ZipFile), int64(len(c.ZipFile)), dry)
	case c.S3Bucket == "" || c.S3Key == "":
		return artifact{}, invalid("Please provide a source for function code.")
	}
	return l.take(ctx, c, dry)
}

// Take fetches code from a bucket and keeps it as an artifact; it returns its
// SHA-256 in hex and its size.
func (l *Functions) Take(ctx context.Context, bucket, key string) (sha string, size int64, err error) {
	a, err := l.store(ctx, Code{S3Bucket: bucket, S3Key: key}, false)
	return a.sha, a.size, err
}

// Store keeps a zip as an artifact; it returns its SHA-256 in hex and its size.
func (l *Functions) Store(ctx context.Context, zip []byte) (sha string, size int64, err error) {
	a, err := l.store(ctx, Code{ZipFile: zip}, false)
	return a.sha, a.size, err
}

// take fetches code from a bucket. The object may change meanwhile, so it is
// copied before it is looked at.
func (l *Functions) take(ctx context.Context, c Code, dry bool) (artifact, error) {
	_, body, err := l.Objects.Get(ctx, c.S3Bucket, c.S3Key, 0, -1)
	if fault.KindOf(err) == fault.NotFound {
		return artifact{}, invalid("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.")
	}
	if err != nil {
		return artifact{}, err
	}
	defer body.Close() // only read
	tmp, err := os.CreateTemp("", "dropstack-code-*.zip")
	if err != nil {
		return artifact{}, fault.Errorf(fault.Unavailable, "fetch the code: %w", err)
	}
	defer func() { _ = errors.Join(tmp.Close(), os.Remove(tmp.Name())) }() // a copy only
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(body, build.MaxUnpacked+1))
	if err != nil {
		return artifact{}, fault.Errorf(fault.Unavailable, "fetch the code: %w", err)
	}
	return l.keep(ctx, hex.EncodeToString(sum.Sum(nil)), tmp, size, dry)
}

func (l *Functions) keep(ctx context.Context, sha string, r io.ReaderAt, size int64, dry bool) (artifact, error) {
	a := artifact{sha, size}
	if err := checkZip(r, size); err != nil {
		return a, err
	}
	if err := l.room(a); err != nil || dry {
		return a, err
	}
	if o, err := l.Objects.Stat(ctx, deploy.ArtifactBucket, deploy.ArtifactKey(sha)); err == nil && deploy.Fresh(o.Modified) {
		return a, nil // the same bytes
	}
	_, err := l.Objects.Put(ctx, deploy.ArtifactBucket, deploy.ArtifactKey(sha), io.NewSectionReader(r, 0, size), size, engine.PutOptions{ContentType: "application/zip"})
	return a, err
}

// checkZip refuses what cannot be unpacked into the directory of a function.
func checkZip(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	var unpacked uint64
	for _, f := range z.File {
		if unpacked += f.UncompressedSize64; unpacked > build.MaxUnpacked {
			return invalid("Unzipped size must be smaller than %d bytes", build.MaxUnpacked)
		}
	}
	if len(z.File) == 0 {
		return invalid("Uploaded file must be a non-empty zip")
	}
	return nil
}

// room refuses code when there is too much already.
func (l *Functions) room(a artifact) error {
	if used := l.CodeSize(); used+a.size > maxStore {
		return fault.Coded(fault.Invalid, "CodeStorageExceededException", "Code storage limit exceeded: %d bytes of %d are used.", used, int64(maxStore))
	}
	return nil
}

// CodeSize is how many bytes of code functions and layers have.
func (l *Functions) CodeSize() (total int64) {
	seen := map[string]bool{}
	add := func(sha string, size int64) {
		if !seen[sha] {
			seen[sha] = true
			total += size
		}
	}
	for _, r := range l.Deployer.List() {
		for _, f := range r.Functions {
			add(f.Artifact, f.CodeSize)
		}
		for _, v := range r.Layers {
			add(v.Artifact, v.Size)
		}
	}
	return total
}

package osls

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// shelfBuckets makes the bucket that the service reads a value from, and the one
// that it hears of without owning it.
func shelfBuckets(s *stack) {
	s.bucket("shelf-" + s.cli.stage + "-settings")
	s.bucket("shelf-" + s.cli.stage + "-old")
	s.put("settings", "motto.txt", "books first")
	// more than the command uploads in one piece, and nothing that could be compressed
	ballast := make([]byte, ballastSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(ballast) // never fails
	s.need(os.WriteFile(filepath.Join(s.dir, "layer", "ballast"), ballast, 0o644))
}

const ballastSize = 11 << 20

func (s *stack) put(bucket, key, content string) {
	s.Helper()
	_, err := s.objects().PutObject(s.Context(), &s3.PutObjectInput{Bucket: aws.String(s.name + "-" + bucket), Key: &key, Body: strings.NewReader(content)})
	s.need(err)
}

func (s *stack) delete(bucket, key string) {
	s.Helper()
	_, err := s.objects().DeleteObject(s.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s.name + "-" + bucket), Key: &key})
	s.need(err)
}

// useShelf puts objects where the service hears of them, and where it does not.
func useShelf(s *stack) {
	s.put("incoming", "out/other.txt", "not heard of")
	s.put("incoming", "in/a.txt", "heard of")
	s.put("old", "in/b.txt", "not heard of")
	s.put("old", "b.old", "heard of")
	s.delete("old", "b.old")
	s.logged("shelve", "object ObjectCreated:Put "+s.name+"-incoming in/a.txt")
	s.logged("shelve", "object ObjectCreated:Put "+s.name+"-old b.old")
	s.logged("shelve", "object ObjectRemoved:Delete "+s.name+"-old b.old")
	if text := s.log("/aws/lambda/" + s.name + "-shelve"); strings.Contains(text, "other.txt") || strings.Contains(text, "in/b.txt") {
		s.Errorf("the function was told of objects that it did not ask for:\n%s", text)
	}

	// a value from a bucket, one that is not there, and a layer
	answer := s.ask("layers")
	delete(answer, "version")
	if err := same(answer, map[string]any{"word": "layers", "motto": "books first", "colour": "green", "layer": "the layer greets you", "ballast": float64(ballastSize)}); err != nil {
		s.Error(err)
	}

	// what a function of the stack made
	if got, want := s.outputs["PlankId"]+": "+s.outputs["PlankLabel"], "plank-oak: plank of oak, 3 m"; got != want {
		s.Errorf("the resource that a function makes is %q, want %q", got, want)
	}
	s.logged("carpenter", "resource Create Plank -")

	// a bucket that has something in it would stay
	s.delete("incoming", "out/other.txt")
	s.delete("incoming", "in/a.txt")
}

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/logs/ingest"
)

func (c *cli) logImport() *cobra.Command {
	var format, group string
	command := &cobra.Command{
		Use:   "import BUCKET[/PREFIX] | FILE…",
		Short: "Bring log files into the log store: of CloudFront, load balancers, S3, or JSON",
		Long: `Brings log files into the log store, each once: an object that was imported before is
passed over, and so is a file with the same contents. What is there under the name of
a file is a file; s3://BUCKET/PREFIX is a bucket in any case. Files may be gzipped.

Formats are ` + strings.Join(ingest.Formats, ", ") + `; auto, the default, tells them by the first line.
Lines that are none of the format are passed over and counted.

Buckets whose objects are to be imported as they come are named in serverless.yml,
below custom.dropstack.logs.`,
		Example: "  dropstack logs import cdn-logs/E2EXAMPLE1.2026-11\n  dropstack logs import access-2026-11-26.log.gz --group /legacy/web\n  dropstack logs import s3://lb-logs/AWSLogs --format alb --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			im := &importer{cli: c, client: client, in: ingest.Input{Format: format, Group: group}, began: time.Now()}
			for _, arg := range args {
				if err := im.argument(cmd.Context(), arg); err != nil {
					return err
				}
			}
			im.summary()
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&format, "format", "", "of the files (default auto)")
	f.StringVar(&group, "group", "", "log group of the records (default: as the format says, such as /aws/cloudfront/ID)")
	return command
}

// importer is one run of the command.
type importer struct {
	cli    *cli
	client *api.Client
	in     ingest.Input
	began  time.Time

	files, lines, skipped, before int
	bytes                         int64
}

func (im *importer) argument(ctx context.Context, arg string) error {
	where, inBucket := strings.CutPrefix(arg, "s3://")
	if !inBucket {
		st, err := os.Stat(arg)
		switch {
		case err == nil && st.Mode().IsRegular():
			return im.file(ctx, arg)
		case err == nil:
			return fmt.Errorf("%w: %s is no file; if a bucket is meant, it is s3://%s", errUsage, arg, arg)
		case filepath.IsAbs(arg) || strings.HasPrefix(arg, "."):
			return fmt.Errorf("%w: there is no file %s", errUsage, arg)
		}
	}
	bucket, prefix, _ := strings.Cut(where, "/")
	return im.bucket(ctx, bucket, prefix)
}

// bucket imports the objects below a prefix, in the order of their keys.
func (im *importer) bucket(ctx context.Context, bucket, prefix string) error {
	pages := s3.NewListObjectsV2Paginator(im.client.S3(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	found := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list %s/%s: %w", bucket, prefix, err)
		}
		for _, o := range page.Contents {
			found++
			in := im.in
			in.Bucket, in.Key = bucket, *o.Key
			if err := im.one(ctx, in, bucket+"/"+*o.Key); err != nil {
				return err
			}
		}
	}
	if found == 0 {
		return fmt.Errorf("%w: nothing is below %s/%s", errUsage, bucket, prefix)
	}
	return nil
}

// file imports a file of this machine: it is put into a bucket for that, and taken away
// again. Its contents tell whether it was imported before.
func (im *importer) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum, store, bucket := hex.EncodeToString(hash.Sum(nil)), im.client.S3(), aws.String(ingest.Files)
	key := sum + "/" + filepath.Base(path)
	if _, err := store.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}); err != nil {
		if _, err := store.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
			return fmt.Errorf("make the bucket of imports: %w", err)
		}
	}
	if _, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: f}); err != nil {
		return fmt.Errorf("upload %s: %w", path, err)
	}
	in := im.in
	in.Bucket, in.Key, in.ID = ingest.Files, key, "sha256:"+sum
	err = im.one(ctx, in, path)
	if _, gone := store.DeleteObject(context.WithoutCancel(ctx), &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err == nil && gone != nil {
		err = fmt.Errorf("take the upload of %s away: %w", path, gone)
	}
	return err
}

func (im *importer) one(ctx context.Context, in ingest.Input, name string) error {
	var out ingest.Output
	if err := im.client.Call(ctx, "ImportLogs", in, &out); err != nil {
		return err
	}
	im.files++
	im.skipped += out.Skipped
	if out.Imported {
		im.lines += out.Lines
		im.bytes += out.Bytes
	} else {
		im.before++
	}
	if im.cli.json {
		im.cli.writeJSON(im.cli.stdout, struct {
			Name string `json:"name"`
			ingest.Output
		}{name, out})
		return nil
	}
	switch {
	case out.Own:
		fmt.Fprintf(im.cli.stdout, "%s: is of a distribution of this platform, whose requests are in the log already\n", name)
	case !out.Imported:
		fmt.Fprintf(im.cli.stdout, "%s: was imported before\n", name)
	default:
		fmt.Fprintf(im.cli.stdout, "%s: %s of format %s\n", name, count(out.Lines, "line"), out.Format)
	}
	if out.Skipped > 0 {
		fmt.Fprintf(im.cli.stderr, "%s: %s passed over, the first: %s\n", name, count(out.Skipped, "line"), printable(out.Problem))
	}
	return nil
}

func (im *importer) summary() {
	if im.cli.json || im.files < 2 {
		return
	}
	took := time.Since(im.began)
	fmt.Fprintf(im.cli.stdout, "%s, %s, %.1f MB in %s", count(im.files, "file"), count(im.lines, "line"), float64(im.bytes)/1e6, took.Round(time.Millisecond))
	if im.before > 0 {
		fmt.Fprintf(im.cli.stdout, "; %d were there before", im.before)
	}
	fmt.Fprintln(im.cli.stdout)
}

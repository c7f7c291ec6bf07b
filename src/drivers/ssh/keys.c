/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/ssh/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"

enum { SEED_BYTES = 32, KEY_BYTES = 32, CIPHER_BLOCK = 8, PEM_WIDTH = 70 };

static const char key_type[] = "ssh-ed25519";

/* Bytes of a key file in the making. The room is taken at once: a buffer that grows leaves copies of secrets behind. */
typedef struct {
	guint8 bytes[1024];
	gsize length;
} wire;

static void wire_clear(wire *w)
{
	OPENSSL_cleanse(w, sizeof *w);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(wire, wire_clear)

static void wire_bytes(wire *w, const void *data, gsize length)
{
	g_assert(w->length + length <= sizeof w->bytes);
	if (length > 0)
		memcpy(w->bytes + w->length, data, length);
	w->length += length;
}

static void wire_uint(wire *w, guint32 value)
{
	guint32 big = GUINT32_TO_BE(value);
	wire_bytes(w, &big, sizeof big);
}

static void wire_string(wire *w, const void *data, gsize length)
{
	wire_uint(w, (guint32)length);
	wire_bytes(w, data, length);
}

typedef struct {
	guint8 secret[KEY_BYTES];
	guint8 public[KEY_BYTES];
	guint32 check;
} raw_key;

static void raw_key_clear(raw_key *key)
{
	OPENSSL_cleanse(key, sizeof *key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(raw_key, raw_key_clear)

static bool hmac(GBytes *seed, const char *purpose, guint8 ret[KEY_BYTES])
{
	gsize size;
	const void *data = g_bytes_get_data(seed, &size);
	unsigned length = KEY_BYTES;
	return HMAC(EVP_sha256(), data, (int)size, (const guint8 *)purpose, strlen(purpose), ret, &length) != NULL;
}

static bool raw_key_derive(GBytes *seed, const char *purpose, raw_key *ret)
{
	guint8 check[KEY_BYTES];
	g_autofree char *check_purpose = g_strconcat("check/", purpose, NULL);
	if (!hmac(seed, purpose, ret->secret) || !hmac(seed, check_purpose, check))
		return false;
	memcpy(&ret->check, check, sizeof ret->check);

	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, ret->secret, KEY_BYTES);
	gsize length = KEY_BYTES;
	bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, ret->public, &length) == 1 && length == KEY_BYTES;
	EVP_PKEY_free(key);
	return good;
}

static void wire_public(wire *w, const raw_key *key)
{
	wire_string(w, key_type, strlen(key_type));
	wire_string(w, key->public, KEY_BYTES);
}

/* The part that a passphrase would encrypt: PROTOCOL.key of OpenSSH. */
static void wire_private(wire *w, const raw_key *key, const char *comment)
{
	wire_uint(w, key->check);
	wire_uint(w, key->check);
	wire_public(w, key);
	wire_uint(w, KEY_BYTES + KEY_BYTES);
	wire_bytes(w, key->secret, KEY_BYTES);
	wire_bytes(w, key->public, KEY_BYTES);
	wire_string(w, comment, strlen(comment));
	for (guint8 pad = 1; w->length % CIPHER_BLOCK != 0; pad++)
		wire_bytes(w, &pad, 1);
}

static char *pem(const wire *w)
{
	static const char head[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n",
	                  tail[] = "-----END OPENSSH PRIVATE KEY-----\n";
	g_autofree char *text = g_base64_encode(w->bytes, w->length);
	gsize length = strlen(text);
	GString *ret = g_string_sized_new(sizeof head + sizeof tail + length + length / PEM_WIDTH + 2);
	g_string_append(ret, head);
	for (gsize at = 0; at < length; at += PEM_WIDTH) {
		g_string_append_len(ret, text + at, (gssize)MIN(PEM_WIDTH, length - at));
		g_string_append_c(ret, '\n');
	}
	g_string_append(ret, tail);
	OPENSSL_cleanse(text, length);
	return g_string_free(ret, FALSE);
}

static char *private_text(const raw_key *key, const char *comment)
{
	static const char magic[] = "openssh-key-v1"; /* its NUL belongs to it */
	g_auto(wire) public = {.length = 0};
	g_auto(wire) private = {.length = 0};
	g_auto(wire) file = {.length = 0};
	wire_public(&public, key);
	wire_private(&private, key, comment);
	wire_bytes(&file, magic, sizeof magic);
	wire_string(&file, "none", 4); /* cipher */
	wire_string(&file, "none", 4); /* key derivation */
	wire_string(&file, "", 0);     /* its options */
	wire_uint(&file, 1);           /* number of keys */
	wire_string(&file, public.bytes, public.length);
	wire_string(&file, private.bytes, private.length);
	return pem(&file);
}

static char *public_text(const raw_key *key, const char *comment)
{
	g_auto(wire) w = {.length = 0};
	wire_public(&w, key);
	g_autofree char *text = g_base64_encode(w.bytes, w.length);
	return g_strdup_printf("%s %s%s%s", key_type, text, *comment ? " " : "", comment);
}

bool np_key_derive(GBytes *seed, const char *purpose, const char *comment, np_keypair *ret, GError **error)
{
	/* the longest comment that `wire` has room for, with a good margin */
	if (comment == NULL || strlen(comment) > 400 || strpbrk(comment, "\r\n") != NULL) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "the SSH key '%s' cannot be made: its comment must be one short line", purpose);
		return false;
	}
	if (g_bytes_get_size(seed) != SEED_BYTES) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "the lab's key seed has %zu bytes instead of %d: the secret that holds "
		            "it is damaged; destroy the lab and apply it again",
		            g_bytes_get_size(seed), SEED_BYTES);
		return false;
	}
	g_auto(raw_key) key = {.check = 0};
	if (!raw_key_derive(seed, purpose, &key)) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED,
		            "OpenSSL cannot make the Ed25519 key '%s'; is it restricted to FIPS "
		            "algorithms?",
		            purpose);
		return false;
	}
	ret->private_openssh = private_text(&key, comment);
	ret->public_line = public_text(&key, comment);
	return true;
}

GBytes *np_key_seed_new(GError **error)
{
	guint8 seed[SEED_BYTES];
	if (getrandom(seed, sizeof seed, 0) != (gssize)sizeof seed) {
		g_set_error(error, NP_ERROR, NP_ERROR_FAILED, "the kernel gives no random bytes: %s",
		            g_strerror(errno));
		return NULL;
	}
	GBytes *ret = g_bytes_new(seed, sizeof seed);
	OPENSSL_cleanse(seed, sizeof seed);
	return ret;
}

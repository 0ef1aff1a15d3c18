#include "CWebApp.h"

// The package is C17; every compiler that builds it knows #embed all the same.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char page_html[] = {
#embed "web/page.html"
};
static const unsigned char style_css[] = {
#embed "web/style.css"
};
static const unsigned char bytes_js[] = {
#embed "web/bytes.js"
};
static const unsigned char names_js[] = {
#embed "web/names.js"
};
static const unsigned char records_js[] = {
#embed "web/records.js"
};
static const unsigned char recordtext_js[] = {
#embed "web/recordtext.js"
};
static const unsigned char message_js[] = {
#embed "web/message.js"
};
static const unsigned char keys_js[] = {
#embed "web/keys.js"
};
static const unsigned char packet_js[] = {
#embed "web/packet.js"
};
static const unsigned char relay_js[] = {
#embed "web/relay.js"
};
static const unsigned char elements_js[] = {
#embed "web/elements.js"
};
static const unsigned char storage_js[] = {
#embed "web/storage.js"
};
static const unsigned char draft_js[] = {
#embed "web/draft.js"
};
static const unsigned char editor_js[] = {
#embed "web/editor.js"
};
static const unsigned char lookup_js[] = {
#embed "web/lookup.js"
};
static const unsigned char mykey_js[] = {
#embed "web/mykey.js"
};
static const unsigned char app_js[] = {
#embed "web/app.js"
};

#define FILE_OF(name, bytes) { name, bytes, sizeof bytes }
static const web_app_file files[] = {
  FILE_OF("page.html", page_html),
  FILE_OF("style.css", style_css),
  FILE_OF("bytes.js", bytes_js),
  FILE_OF("names.js", names_js),
  FILE_OF("records.js", records_js),
  FILE_OF("recordtext.js", recordtext_js),
  FILE_OF("message.js", message_js),
  FILE_OF("keys.js", keys_js),
  FILE_OF("packet.js", packet_js),
  FILE_OF("relay.js", relay_js),
  FILE_OF("elements.js", elements_js),
  FILE_OF("storage.js", storage_js),
  FILE_OF("draft.js", draft_js),
  FILE_OF("editor.js", editor_js),
  FILE_OF("lookup.js", lookup_js),
  FILE_OF("mykey.js", mykey_js),
  FILE_OF("app.js", app_js),
};

const web_app_file *web_app_file_at(size_t index) {
  return index < sizeof files / sizeof *files ? &files[index] : NULL;
}

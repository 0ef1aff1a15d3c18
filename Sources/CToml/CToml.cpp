#include "CToml.h"

// Nobody configures this deep; the parser recurses once for each level.
#define TOML_MAX_NESTED_VALUES 32
#include <toml++/toml.h>

#include <deque>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <vector>

struct ctoml_document {
  toml::table root;
  std::vector<ctoml_node> nodes;
  std::deque<std::string> texts;  // of dates and times: a deque never moves its elements
  std::string error;
  uint32_t line = 0, column = 0;
  bool failed = false;

  void fail(std::string message) {
    failed = true;
    error = std::move(message);
    nodes.clear();
  }
};

namespace {

ctoml_node describe(ctoml_document &document, const toml::node &node, int32_t parent) {
  ctoml_node out{};
  out.parent = parent;
  out.line = node.source().begin.line;
  out.column = node.source().begin.column;
  auto keep_text = [&](const auto &value) {
    std::ostringstream stream;
    stream << value;
    const std::string &text = document.texts.emplace_back(stream.str());
    out.kind = CTOML_DATE_TIME;
    out.text = text.data();
    out.text_length = text.size();
  };
  switch (node.type()) {
    case toml::node_type::table: out.kind = CTOML_TABLE; break;
    case toml::node_type::array: out.kind = CTOML_ARRAY; break;
    case toml::node_type::string: {
      const std::string &text = node.as_string()->get();
      out.kind = CTOML_STRING;
      out.text = text.data();
      out.text_length = text.size();
      break;
    }
    case toml::node_type::integer:
      out.kind = CTOML_INTEGER;
      out.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      out.kind = CTOML_FLOAT;
      out.number = node.as_floating_point()->get();
      break;
    case toml::node_type::boolean:
      out.kind = CTOML_BOOLEAN;
      out.integer = node.as_boolean()->get();
      break;
    case toml::node_type::date: keep_text(node.as_date()->get()); break;
    case toml::node_type::time: keep_text(node.as_time()->get()); break;
    default: keep_text(node.as_date_time()->get()); break;
  }
  return out;
}

// Breadth first, with the node list itself as the queue: no recursion.
void flatten(ctoml_document &document) {
  std::vector<const toml::node *> queue{&document.root};
  document.nodes.push_back(describe(document, document.root, -1));
  for (size_t index = 0; index < queue.size(); index++) {
    auto parent = static_cast<int32_t>(index);
    if (const toml::table *table = queue[index]->as_table()) {
      for (auto &&[key, value] : *table) {
        ctoml_node node = describe(document, value, parent);
        node.key = key.str().data();
        node.key_length = key.str().size();
        node.key_line = key.source().begin.line;
        node.key_column = key.source().begin.column;
        document.nodes.push_back(node);
        queue.push_back(&value);
      }
    } else if (const toml::array *array = queue[index]->as_array()) {
      for (const toml::node &value : *array) {
        document.nodes.push_back(describe(document, value, parent));
        queue.push_back(&value);
      }
    }
  }
}

}  // namespace

// No exception may pass into Swift.
ctoml_document *ctoml_parse(const char *text, size_t length) {
  ctoml_document *document = nullptr;
  try {
    document = new ctoml_document;
    document->root = toml::parse(std::string_view{text, length});
    flatten(*document);
  } catch (const toml::parse_error &error) {
    document->line = error.source().begin.line;
    document->column = error.source().begin.column;
    document->fail(std::string{error.description()});
  } catch (const std::bad_alloc &) {
    delete document;
    return nullptr;
  } catch (const std::exception &error) {
    document->fail(error.what());
  }
  return document;
}

const ctoml_node *ctoml_nodes(const ctoml_document *document, size_t *count) {
  *count = document->nodes.size();
  return document->nodes.data();
}

const char *ctoml_error(const ctoml_document *document, uint32_t *line, uint32_t *column) {
  *line = document->line;
  *column = document->column;
  return document->failed ? document->error.c_str() : nullptr;
}

void ctoml_free(ctoml_document *document) { delete document; }

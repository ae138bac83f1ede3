import { TestEnvironment } from 'jest-environment-node';

const SPEC_FILE = /\.(e2e-)?spec\.ts$/;

/**
 * Gives spec files that share a module registry a block each, whose name is the file's path. So hooks at the top of a file do
 * not reach the others.
 */
export default class TogetherEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    this.global.specFiles = {
      running: undefined,
      load: async (describeBlock, load) => this.loadIn(describeBlock, load),
      atTop: (addHooks) => this.addIn(this.state.rootDescribeBlock, addHooks),
    };
  }

  handleTestEvent({ name, describeBlock }, state) {
    this.state = state;
    if (name === 'run_describe_start' && this.fileBlocks().includes(describeBlock))
      this.global.specFiles.running = describeBlock.name;
  }

  /** @returns the blocks of files; none where a file runs by itself */
  fileBlocks() {
    return this.state.rootDescribeBlock.children.filter(
      ({ type, name }) => type === 'describeBlock' && SPEC_FILE.test(name),
    );
  }

  /** Loads a file into the block that was described last, because `describe` itself does not wait. */
  async loadIn(describeBlock, load) {
    describeBlock();
    const { rootDescribeBlock: root } = this.state;
    const block = root.children.at(-1);
    this.state.currentDescribeBlock = block;
    await load();
    this.state.currentDescribeBlock = root;
    this.state.hasFocusedTests ||= block.children.some(
      ({ type, mode }) => type === 'test' && mode === 'only',
    );
  }

  addIn(block, addHooks) {
    const { currentDescribeBlock } = this.state;
    this.state.currentDescribeBlock = block;
    addHooks();
    this.state.currentDescribeBlock = currentDescribeBlock;
  }
}
